//! `plan` and `run`.

use std::path::PathBuf;

use clap::Args;

use super::Json;

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// Suite file (TOML)
    #[arg(value_name = "SUITE")]
    pub suite: PathBuf,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Suite file (TOML)
    #[arg(value_name = "SUITE")]
    pub suite: PathBuf,
    /// Compute only the cells that this names, and what they need: a stage (import, tokenise, pretrain, embed, measure, transfer), a key
    /// as `status --cells` lists it, or a key with `*` and `?`; repeatable
    #[arg(long, value_name = "PATTERN")]
    pub only: Vec<String>,
    /// How it is computed.
    #[command(flatten)]
    pub how: Computing,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}

/// How cells are computed.
#[derive(Debug, Clone, Args)]
pub struct Computing {
    /// Cells computed at the same time, each in a worker process of its own; by default as many as the cores allow
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Give every cell a fresh worker process
    #[arg(long)]
    pub isolate: bool,
    /// Device of the workers: cpu, cuda:<index>, or auto for the first GPU that the worker offers, else the CPU
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = device)]
    pub device: Device,
    /// Compute failed cells again (one whose worker was killed from outside goes on without it)
    #[arg(long)]
    pub retry_failed: bool,
    /// Check files that are read by their digests, not only by size and time; what is damaged is computed again
    #[arg(long)]
    pub verify: bool,
    /// Go on with a plugin that is another file than before under the same release version
    #[arg(long)]
    pub accept_digest: bool,
    /// Accept the terms of data that has some, by their name, such as duke-dual; `plan` says which are needed
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub accept_licence: Vec<String>,
    /// Longest time of one cell, such as 90s, 30m or 6h; 4h if left out
    #[arg(long, value_name = "TIME", value_parser = crate::units::seconds)]
    pub time_limit: Option<u64>,
    /// Most memory of one worker, such as 512MiB or 4GiB; its share of four fifths of the machine's, at least 1.5 GiB, if left out
    #[arg(long, value_name = "SIZE", value_parser = crate::units::bytes)]
    pub memory_limit: Option<u64>,
}

/// Where cells are computed, as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// The first GPU that the worker offers, else the CPU.
    Auto,
    /// `cpu` or `cuda:<index>`.
    Named(String),
}

/// `auto`, `cpu`, `cuda` or `cuda:<index>`.
fn device(text: &str) -> Result<Device, String> {
    let index = text.strip_prefix("cuda:").and_then(|index| index.parse::<u16>().ok());
    match (text, index) {
        ("auto", _) => Ok(Device::Auto),
        ("cpu", _) => Ok(Device::Named("cpu".to_owned())),
        ("cuda", _) => Ok(Device::Named("cuda:0".to_owned())),
        (_, Some(index)) => Ok(Device::Named(format!("cuda:{index}"))),
        _ => Err("expected auto, cpu or cuda:<index>, such as cuda:0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices() {
        let named = |name: &str| Ok(Device::Named(name.to_owned()));
        assert_eq!(device("auto"), Ok(Device::Auto));
        assert_eq!((device("cpu"), device("cuda"), device("cuda:3")), (named("cpu"), named("cuda:0"), named("cuda:3")));
        for wrong in ["gpu", "cuda:x", "cuda:", "cuda:-1", "CPU", ""] {
            assert!(device(wrong).is_err(), "{wrong}");
        }
    }
}

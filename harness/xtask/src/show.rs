//! Shows progress: a bar on a terminal, plain lines elsewhere.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use clmbench_fetch::{Phase, Progress};
use indicatif::{ProgressBar, ProgressStyle};

/// Takes the progress of fetches and shows it.
pub struct Show {
    bar: Option<ProgressBar>,
    current: Option<(Phase, String)>,
    told: Instant,
}

/// Steps on fewer bytes are not worth a line.
const SMALL: u64 = 20_000_000;

impl Show {
    /// A bar if standard error is a terminal.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(ProgressBar::no_length);
        Self { bar, current: None, told: Instant::now() }
    }

    /// Shows where a fetch is.
    pub fn update(&mut self, progress: Progress) {
        let Progress { phase, name, done, total } = progress;
        let begins = self.current.as_ref().is_none_or(|(p, n)| *p != phase || *n != name);
        if begins {
            self.current = Some((phase, name.clone()));
        }
        match &self.bar {
            Some(bar) => {
                if begins {
                    bar.reset();
                    bar.set_style(style(total));
                    bar.set_message(format!("{} {}", phase.word(), short(&name)));
                }
                if total > 0 {
                    bar.set_length(total);
                }
                bar.set_position(done);
            }
            None if begins && (total == 0 || total > SMALL) => {
                self.told = Instant::now();
                let size = if total > 0 { format!(" ({})", size(total)) } else { String::new() };
                println!("  {} {name}{size}", phase.word());
            }
            None if self.told.elapsed() > Duration::from_secs(10) => {
                self.told = Instant::now();
                let share = if total > 0 { format!(" of {}", size(total)) } else { String::new() };
                println!("  {} {name}: {}{share}", phase.word(), size(done));
            }
            None => {}
        }
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.current = None;
    }
}

fn style(total: u64) -> ProgressStyle {
    let template = if total > 0 {
        "  {msg} [{bar:24}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} to go"
    } else {
        "  {spinner} {msg} {bytes}, {bytes_per_sec}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

/// The package and version of a wheel's file name are enough for a bar.
fn short(name: &str) -> String {
    name.splitn(3, '-').take(2).collect::<Vec<_>>().join("-")
}

/// Bytes for people: `530.6 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_names_for_people() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(530_604_548), "530.6 MB");
        assert_eq!(size(2_600_000_000), "2.60 GB");
        assert_eq!(short("torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl"), "torch-2.11.0");
    }
}

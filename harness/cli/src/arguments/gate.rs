//! `baseline` and `gate`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clmbench_analysis::gate::GivenMargin;

use super::{Computing, Json, Reading};

/// `baseline ...`.
#[derive(Debug, Subcommand)]
pub enum Baseline {
    /// Freeze the scores, predictions, splits and margins of runs of a suite under a name
    ///
    /// The runs are one model: one pretraining run, or several that differ by the pretraining seed alone. Nothing is computed: what the
    /// suite has finished is frozen, with the suite itself, and no longer depends on the store's cells.
    #[command(after_help = "Example:
  clmbench baseline save main                                     the only model of the newest suite
  clmbench baseline save main --suite demo --model bert-0.83M/mixed-20000
  clmbench baseline save main --margin roc_auc=0.01 --margin freesolv=0.3 --margin rmse=10%
  clmbench baseline save main --out main.json                     to carry it to another machine

Margins: how much worse a candidate may be. What --margin names goes first, then `[gate.margins]` of the suite, then the default:
0.02 of an AUC, 5 % of the training labels' standard deviation of an RMSE or MAE; other scores need one. Of each, the most exact
name counts: dataset/task, dataset, score. They are frozen; `baseline show` says where each is from.")]
    Save(SaveBaseline),
    /// List the gate baselines of the store
    #[command(after_help = "Example:
  clmbench baseline list
  clmbench baseline list --json")]
    List(ListBaselines),
    /// Show what a gate baseline holds: runs, tasks, scores, margins
    #[command(after_help = "Example:
  clmbench baseline show main
  clmbench baseline show main.json --json")]
    Show(ShowBaseline),
    /// List what gates of this store came to, task by task, the newest last
    #[command(after_help = "Example:
  clmbench baseline judgements
  clmbench baseline judgements main --json")]
    Judgements(ListJudgements),
    /// Remove a gate baseline from the store; judgements that were made with it stay
    #[command(after_help = "Example:
  clmbench baseline remove main")]
    Remove(RemoveBaseline),
}

/// Arguments of `baseline save`.
#[derive(Debug, Args)]
pub struct SaveBaseline {
    /// Name of the gate baseline: letters, digits, `.`, `-` and `_`
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Name of the suite; the newest of the store if left out
    #[arg(long, value_name = "NAME")]
    pub suite: Option<String>,
    /// Label of a run, or its part before `/seed` for all seeds of a configuration; repeatable. May be left out in a suite of one
    #[arg(long, value_name = "RUN|CONFIGURATION")]
    pub model: Vec<String>,
    /// Margin of a score, a dataset or a task (dataset/task), in its units or in % of the training labels' SD; repeatable
    #[arg(long, value_name = "NAME=NUMBER[%]", value_parser = GivenMargin::parse, value_delimiter = ',')]
    pub margin: Vec<GivenMargin>,
    /// Replace a gate baseline of this name
    #[arg(long)]
    pub replace: bool,
    /// Write it to a file too, for `gate --baseline FILE` on another machine
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// JSON or text.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `baseline list`.
#[derive(Debug, Args)]
pub struct ListBaselines {
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `baseline judgements`.
#[derive(Debug, Args)]
pub struct ListJudgements {
    /// Those with the gate baseline of this name, also of one that was removed since; all if left out
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// JSON (one row a task) or table.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `baseline show`.
#[derive(Debug, Args)]
pub struct ShowBaseline {
    /// Name of a gate baseline of the store, or a file that `baseline save --out` wrote
    #[arg(value_name = "NAME|FILE")]
    pub name: String,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `baseline remove`.
#[derive(Debug, Args)]
pub struct RemoveBaseline {
    /// Name of a gate baseline of the store
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// What `cannot tell` means for the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Inconclusive {
    /// Exit status 0.
    Pass,
    /// Exit status 10, as for worse.
    Fail,
}

/// Arguments of `gate`.
#[derive(Debug, Args)]
pub struct GateArguments {
    /// Name of a gate baseline of the store, or a file that `baseline save --out` wrote
    #[arg(long, value_name = "NAME|FILE")]
    pub baseline: String,
    /// Folder as `transformers` writes it, label of a run of the store, or owner/name@REVISION of a hub; repeat it for the pretraining
    /// seeds of one recipe (three or more on both sides make a claim about the recipe)
    #[arg(long, value_name = "FOLDER|RUN|owner/name@REVISION", required = true)]
    pub candidate: Vec<String>,
    /// Transfer seeds of each fine-tuning of the candidate; as many as the gate baseline has if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub seeds: Option<u32>,
    /// Gate a metric too, by its claimed direction, with this margin in its own units; repeatable
    #[arg(long, value_name = "ID=MARGIN", value_parser = metric)]
    pub metric: Vec<(String, f64)>,
    /// Gate the speed of embedding too: how much slower it may be, such as 20%
    #[arg(long, value_name = "PERCENT", value_parser = share)]
    pub speed: Option<f64>,
    /// What `cannot tell` is to mean for the exit status; 11 if left out
    #[arg(long, value_name = "pass|fail", value_enum)]
    pub inconclusive: Option<Inconclusive>,
    /// Folder that relative paths of the gate baseline's suite start from; the current one if left out
    #[arg(long, value_name = "DIR")]
    pub suite_folder: Option<PathBuf>,
    /// Write JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write a Markdown summary, for a pull request
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// How a candidate that is no run of the store is read.
    #[command(flatten)]
    pub reading: Reading,
    /// How its cells are computed.
    #[command(flatten)]
    pub how: Computing,
    /// JSON {schema, generated_by, rows, overall} or table.
    #[command(flatten)]
    pub json: Json,
}

/// `family/name=0.02`.
fn metric(text: &str) -> Result<(String, f64), String> {
    let expected = "expected ID=MARGIN with a margin above 0, such as loss/mlm_loss=0.02";
    let (id, margin) = text.split_once('=').ok_or(expected)?;
    let margin: f64 = margin.trim().parse().map_err(|_| expected)?;
    if id.trim().is_empty() || !(margin.is_finite() && margin > 0.0) {
        return Err(expected.to_owned());
    }
    Ok((id.trim().to_owned(), margin))
}

/// `20%` or `20` as .2.
fn share(text: &str) -> Result<f64, String> {
    let expected = "expected a percentage above 0, such as 20%";
    let number: f64 = text.trim().trim_end_matches('%').trim().parse().map_err(|_| expected)?;
    if number.is_finite() && number > 0.0 { Ok(number / 100.0) } else { Err(expected.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_and_shares_are_read_and_refused() {
        assert_eq!(metric("loss/mlm_loss=0.02"), Ok(("loss/mlm_loss".to_owned(), 0.02)));
        assert_eq!((share("20%"), share("5")), (Ok(0.2), Ok(0.05)));
        for wrong in ["", "a", "a=", "a=0", "a=-1", "a=NaN", "=1", "a=inf"] {
            assert!(metric(wrong).is_err() && GivenMargin::parse(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "0", "-1%", "NaN", "x"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
        let margin = GivenMargin::parse("rmse=5%");
        assert_eq!(margin, Ok(GivenMargin { of: "rmse".to_owned(), value: 0.05, is_share: true }));
    }
}

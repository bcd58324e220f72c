//! What is found out about a dataset, and the verdict.

use clmbench_fetch::{FetchError, Found, PlaceFailure, Wanted};
use clmbench_molecules::{Part, PreparedDataset};
use clmbench_protocol::{DatasetInfo, Number, SplitSpec, TaskCheck};
use serde::Serialize;

use super::{
    super::sources::word,
    against::{Corpus, Tokens},
};
use crate::{error::CliError, units::counted};

/// What a check comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing to say against it.
    Ok,
    /// Usable; what to keep in mind is said.
    Warn,
    /// Its files are there, but are not what they must be.
    Refused,
    /// No place has its files.
    NotReachable,
    /// Its terms are not accepted.
    NeedsTerms,
}

impl Verdict {
    /// As tables show it.
    pub fn short(self) -> &'static str {
        if self == Self::NotReachable { "unreachable" } else { self.word() }
    }

    /// As sentences say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Refused => "refused",
            Self::NotReachable => "not reachable",
            Self::NeedsTerms => "needs terms",
        }
    }
}

/// A row of `data check --json`.
#[derive(Debug, Serialize)]
pub struct Row {
    /// `source/name`.
    pub name: String,
    /// What it comes to.
    pub verdict: Verdict,
    /// What there is to say, in sentences.
    pub reasons: Vec<String>,
    /// Each place that was asked, where none had its files.
    pub places: Vec<PlaceFailure>,
    /// Its files, in their order.
    pub files: Vec<File>,
    /// What its rows hold; none where it could not be prepared.
    pub contents: Option<Contents>,
    /// Its recommended split, then the split by scaffolds, if that is another one.
    pub splits: Vec<Split>,
    #[serde(skip)]
    pub(super) tasks: usize,
}

/// A file that was read.
#[derive(Debug, Serialize)]
pub struct File {
    /// Its name.
    pub name: String,
    /// `folder`, `wheel`, `url` or `mirror`.
    pub kind: &'static str,
    /// Where it was found.
    pub from: String,
    /// What is to be said of its bytes.
    pub remark: Option<String>,
}

/// What the rows hold.
#[derive(Debug, Serialize)]
pub struct Contents {
    /// Rows of the files.
    pub rows: u64,
    /// Rows without a valid molecule.
    pub invalid: u64,
    /// The first of them: row and reason.
    pub first_invalid: Option<(u64, String)>,
    /// Tasks.
    pub tasks: usize,
    /// Smallest and largest share of class 1 among the labels of a task; none without classification.
    pub positive_share: Option<(Number, Number)>,
    /// Valid molecules without a label, over all tasks.
    pub missing: u64,
    /// Share of them among molecules times tasks.
    pub missing_share: Number,
    /// Groups of rows that hold the same molecule.
    pub duplicate_groups: u64,
    /// Groups of them whose labels differ, over all tasks.
    pub conflicting: u64,
    /// Molecules of several parts (salts, mixtures).
    pub multi_fragment: u64,
    /// Molecules longer than a model reads.
    pub longer: u64,
    /// Share of the tokens that clmbench's vocabulary does not have.
    pub unknown_tokens: Number,
    /// The same for the tokenizer that was named.
    pub unknown_tokens_named: Option<Number>,
    /// SHA-256 of the table in normal form.
    pub sha256_csv: String,
    /// BLAKE3 of molecules, labels and tokens.
    pub data_digest: String,
}

/// A split.
#[derive(Debug, Serialize)]
pub struct Split {
    /// The split.
    #[serde(flatten)]
    pub spec: SplitSpec,
    /// Its digest.
    pub digest: String,
    /// Molecules for training, validation and testing.
    pub parts: (u64, u64, u64),
    /// Canonical molecules of the test part that are in another part too.
    pub leaked: u64,
    /// Test molecules that the named corpus holds.
    pub in_corpus: Option<u64>,
    /// What the labels of each task are.
    pub checks: Vec<TaskCheck>,
}

impl Row {
    /// Of a dataset that was not looked at yet.
    pub fn new(name: String, info: &DatasetInfo) -> Self {
        let (reasons, places, files, splits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { name, verdict: Verdict::Ok, reasons, places, files, contents: None, splits, tasks: info.tasks.len() }
    }

    /// Its files cannot be had.
    pub fn not_there(&mut self, error: &FetchError) {
        self.verdict = match error {
            FetchError::NotAccepted { .. } => Verdict::NeedsTerms,
            // What was declared, or sent, is wrong in itself.
            FetchError::Nowhere { places, .. } if places.iter().any(|place| place.refused) => Verdict::Refused,
            error if error.is_refusal() => Verdict::Refused,
            _ => Verdict::NotReachable,
        };
        match error {
            FetchError::Nowhere { places, next, .. } => {
                self.places.clone_from(places);
                self.reasons.push(next.clone());
            }
            other => self.reasons.push(other.to_string()),
        }
    }

    /// Where its files are from.
    pub fn read_from(&mut self, wanted: &[Wanted], found: &[Found]) {
        let file = |(wanted, found): (&Wanted, &Found)| File {
            name: wanted.file.name.clone(),
            kind: word(&found.place),
            from: found.place.to_string(),
            remark: found.remark.clone(),
        };
        self.files = wanted.iter().zip(found).map(file).collect();
    }

    /// It cannot be prepared.
    pub fn refused(&mut self, why: &str) {
        self.verdict = Verdict::Refused;
        self.reasons.push(why.to_owned());
    }

    /// What its rows hold.
    ///
    /// # Errors
    /// What the named tokenizer says.
    pub fn holds(&mut self, dataset: &PreparedDataset, tokens: Option<&Tokens>) -> Result<(), CliError> {
        let output = &dataset.output;
        let shares = output.checks.iter().filter_map(|check| {
            let (positives, labels) = (check.positives?, check.labels);
            let all = labels.0 + labels.1 + labels.2;
            (all > 0).then(|| (positives.0 + positives.1 + positives.2) as f64 / all as f64)
        });
        let shares: Vec<f64> = shares.collect();
        let ends = (!shares.is_empty())
            .then(|| shares.iter().fold((1.0_f64, 0.0_f64), |(low, high), share| (low.min(*share), high.max(*share))));
        let share = |part: u64, all: u64| Number(part as f64 / all.max(1) as f64);
        let missing = output.checks.iter().map(|check| check.missing).sum();
        self.contents = Some(Contents {
            rows: output.rows,
            invalid: output.invalid.len() as u64,
            first_invalid: output.invalid.first().cloned(),
            tasks: output.tasks.len(),
            positive_share: ends.map(|(low, high)| (Number(low), Number(high))),
            missing,
            missing_share: share(missing, (dataset.len() * output.tasks.len()) as u64),
            duplicate_groups: output.duplicate_groups,
            conflicting: output.checks.iter().map(|check| check.conflicting).sum(),
            multi_fragment: output.multi_fragment,
            longer: output.truncated,
            unknown_tokens: share(output.tokens.1, output.tokens.0),
            unknown_tokens_named: tokens.map(|tokens| tokens.unknown_share(&dataset.canonical)).transpose()?,
            sha256_csv: output.sha256_csv.clone(),
            data_digest: output.data_digest.clone(),
        });
        Ok(())
    }

    /// What a split of it is.
    pub fn split(&mut self, spec: &SplitSpec, dataset: &PreparedDataset, corpus: Option<&Corpus>) {
        let test = || dataset.places(Part::Test).into_iter().map(|place| dataset.canonical[place].as_str());
        self.splits.push(Split {
            spec: spec.clone(),
            digest: dataset.output.split_digest.clone(),
            parts: dataset.output.counts,
            leaked: dataset.output.leaked,
            in_corpus: corpus.map(|corpus| test().filter(|smiles| corpus.holds(smiles)).count() as u64),
            checks: dataset.output.checks.clone(),
        });
    }

    /// Says what to keep in mind.
    pub fn judge(&mut self) {
        if self.verdict != Verdict::Ok {
            return;
        }
        let mut say = Vec::new();
        for file in &self.files {
            if let Some(remark) = file.remark.as_ref() {
                say.push(format!("{}: {remark}", file.name));
            }
        }
        for split in &self.splits {
            let name = &split.spec.algorithm;
            if split.leaked > 0 {
                let molecules = counted(split.leaked as usize, "test molecule");
                say.push(format!("{molecules} of the {name} split in another part too"));
            }
            if let Some(held) = split.in_corpus.filter(|held| *held > 0) {
                say.push(format!("{} of the {name} split in the corpus", counted(held as usize, "test molecule")));
            }
            let one_class = |check: &&TaskCheck| check.positives.is_some_and(|found| found.2 == 0 || found.2 == check.labels.2);
            let without: Vec<&str> = split.checks.iter().filter(one_class).map(|check| check.task.as_str()).collect();
            if let Some(first) = without.first() {
                let tasks = counted(without.len(), "task");
                say.push(format!("{tasks} with one class alone in the test part of the {name} split (first: {first})"));
            }
        }
        if let Some(contents) = self.contents.as_ref().filter(|contents| contents.conflicting > 0) {
            say.push(format!(
                "{} of repeated molecules with labels that differ",
                counted(contents.conflicting as usize, "group")
            ));
        }
        if !say.is_empty() {
            self.verdict = Verdict::Warn;
            self.reasons.extend(say);
        }
    }

    /// Tasks that it declares.
    pub fn tasks(&self) -> usize {
        self.tasks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row::new("made/up".to_owned(), &DatasetInfo::default())
    }

    fn split(leaked: u64, test: (u64, u64)) -> Split {
        let check = |task: &str, (labels, positives): (u64, u64)| TaskCheck {
            task: task.into(),
            labels: (8, 1, labels),
            positives: Some((4, 1, positives)),
            missing: 0,
            conflicting: 0,
            leaked: 0,
        };
        Split {
            spec: SplitSpec { algorithm: "random".into(), seed: Some(0), fractions: (Number(0.8), Number(0.1)), file: None },
            digest: "00".into(),
            parts: (8, 1, test.0),
            leaked,
            in_corpus: Some(leaked),
            checks: vec![check("toxic", test), check("fine", (2, 1))],
        }
    }

    #[test]
    fn leaks_and_tests_of_one_class_are_warnings() {
        let mut clean = row();
        clean.splits.push(split(0, (2, 1)));
        clean.judge();
        assert_eq!((clean.verdict, clean.reasons.len()), (Verdict::Ok, 0));
        for positives in [0, 2] {
            let mut warned = row();
            warned.splits.push(split(1, (2, positives)));
            warned.judge();
            assert_eq!(warned.verdict, Verdict::Warn);
            assert_eq!(
                warned.reasons,
                [
                    "1 test molecule of the random split in another part too",
                    "1 test molecule of the random split in the corpus",
                    "1 task with one class alone in the test part of the random split (first: toxic)"
                ]
            );
        }
    }

    #[test]
    fn what_no_place_has_is_told_from_what_is_wrong() {
        let verdict = |error: FetchError| {
            let mut row = row();
            row.not_there(&error);
            row.judge();
            row.verdict
        };
        let places = vec![PlaceFailure { place: "here".into(), reason: "it is gone".into(), refused: false }];
        let nowhere = FetchError::Nowhere { file: "a".into(), owner: "made/up".into(), places, next: "Look.".into() };
        assert_eq!(verdict(nowhere), Verdict::NotReachable);
        let terms = FetchError::NotAccepted { what: "a".into(), name: "b".into(), terms: "c".into() };
        assert_eq!(verdict(terms), Verdict::NeedsTerms);
        let wrong = FetchError::WrongHash { what: "a".into(), expected: "b".into(), found: "c".into() };
        assert_eq!(verdict(wrong), Verdict::Refused);
        let wrong = FetchError::WrongMd5 { what: "a".into(), expected: "b".into(), found: "c".into() };
        assert_eq!(verdict(wrong), Verdict::Refused);
        // One place sent something that must not be used, the other has nothing.
        let place = |refused: bool| PlaceFailure { place: "here".into(), reason: "it is wrong".into(), refused };
        let places = vec![place(true), place(false)];
        let mixed = FetchError::Nowhere { file: "a".into(), owner: "made/up".into(), places, next: "Look.".into() };
        assert_eq!(verdict(mixed), Verdict::Refused);
    }
}

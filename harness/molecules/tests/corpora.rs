//! Drawing a corpus from small sources.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
};

use clmbench_molecules::{
    MoleculesError, PreparedDataset, SmilesTokenizer, TokenCache, prepare_corpus, prepare_dataset, smiles, vocabulary::vocabulary,
};
use clmbench_protocol::{CorpusOutput, TaskKind, TokeniseCorpus, TokenizerSpec};

/// Chains over three letters, starting from a ring: every number gives another molecule.
fn chain(prefix: &str, number: usize) -> String {
    let mut text = prefix.to_owned();
    let mut rest = number;
    while rest > 0 {
        text.push(['C', 'N', 'O'][rest % 3]);
        rest /= 3;
    }
    text + "C"
}

struct Bench {
    folder: tempfile::TempDir,
    sources: BTreeMap<String, PathBuf>,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap(), sources: BTreeMap::new() };
        bench
            .write("a.csv", (0..400).map(|number| chain("c1ccccc1", number)))
            .write("b.csv", (0..100).map(|number| chain("c1ccncc1", number)))
    }

    /// Adds a source with every molecule in it, three invalid rows, and every tenth again in another spelling.
    fn write(mut self, name: &str, molecules: impl Iterator<Item = String>) -> Self {
        let path = self.folder.path().join(name);
        let mut text = "smiles\nfoo\nC(C)(C)(C)(C)C\n\"\"\n".to_owned();
        for (number, molecule) in molecules.enumerate() {
            text += &format!("{molecule}\n");
            if number % 10 == 0 {
                text += &format!("{}\n", molecule.replace("c1cccc", "C1=CC=CC=").replace("=c1", "=C1"));
            }
        }
        std::fs::write(&path, text).unwrap();
        self.sources.insert(name.to_owned(), path);
        self
    }

    fn spec(&self, size: u64, heldout: u64) -> TokeniseCorpus {
        let sources = [("a.csv", "a", 0.75), ("b.csv", "b", 0.25)]
            .map(|(name, group, weight)| common::corpus_source(&self.sources[name], group, weight));
        common::corpus_spec(sources.to_vec(), size, heldout)
    }

    fn prepare(&self, spec: &TokeniseCorpus, excluded: &[PathBuf], out: &str) -> (Result<CorpusOutput, MoleculesError>, PathBuf) {
        let folder = self.folder.path().join(out);
        std::fs::create_dir_all(&folder).unwrap();
        (prepare_corpus(spec, &self.sources, excluded, &folder, &mut |_, _| {}), folder)
    }
}

/// Molecules of a cache, spelled out.
fn spelled(path: &Path) -> Vec<String> {
    let vocabulary = vocabulary();
    let cache = TokenCache::open(path).unwrap();
    cache.iter().map(|ids| ids[1..ids.len() - 1].iter().map(|id| vocabulary[usize::from(*id)].as_str()).collect()).collect()
}

#[test]
fn subsets_are_nested_and_the_heldout_sample_is_the_same() {
    let bench = Bench::new();
    let (small, small_folder) = bench.prepare(&bench.spec(40, 20), &[], "small");
    let (large, large_folder) = bench.prepare(&bench.spec(200, 20), &[], "large");
    let (small, large) = (small.unwrap(), large.unwrap());
    assert_eq!((small.molecules, large.molecules, small.heldout_molecules), (40, 200, 20));
    assert_eq!(small.heldout_digest, large.heldout_digest);
    let [few, many] = [&small_folder, &large_folder].map(|folder| spelled(&folder.join("train.bin")));
    assert_eq!(few[..], many[..40]);
    let heldout = spelled(&large_folder.join("heldout.bin"));
    let text = std::fs::read_to_string(large_folder.join("heldout.csv")).unwrap();
    assert_eq!(text, format!("smiles\n{}\n", heldout.join("\n")));
    let all: HashSet<&String> = heldout.iter().chain(&many).collect();
    assert_eq!(all.len(), 220, "no molecule twice, none in both");
    assert!(all.iter().all(|text| &smiles::canonical(text).unwrap() == *text), "canonical forms are what is tokenised");
    // A quarter of the candidates is from the second source.
    let from_b = many.iter().filter(|text| text.contains('n')).count();
    assert!((40..=60).contains(&from_b), "{from_b}");
}

#[test]
fn a_used_up_source_leaves_its_place_to_the_others_and_too_few_is_said() {
    let bench = Bench::new();
    let (output, _) = bench.prepare(&bench.spec(480, 20), &[], "all");
    let output = output.unwrap();
    assert_eq!(output.molecules, 480);
    let (error, _) = bench.prepare(&bench.spec(481, 20), &[], "more");
    let error = error.unwrap_err();
    let MoleculesError::TooFewMolecules { available: 500, wanted: 501, candidates: 556, invalid: 6, duplicates: 50, .. } = error
    else {
        panic!("{error}")
    };
    assert!(error.to_string().contains("ask for at most 480"), "{error}");
}

#[test]
fn test_molecules_of_datasets_are_in_no_part_of_the_corpus() {
    let bench = Bench::new();
    // A dataset of 30 molecules of the sources; the groups of its scaffolds are benzene 20, pyridine 10.
    let rows: Vec<String> =
        (0..20).map(|number| chain("c1ccccc1", number)).chain((0..10).map(|number| chain("c1ccncc1", number))).collect();
    let csv = format!("smiles,y\n{}", rows.iter().map(|text| format!("{text},1\n")).collect::<String>());
    let folder = bench.folder.path().join("dataset");
    std::fs::create_dir(&folder).unwrap();
    let dataset =
        prepare_dataset(&common::table(csv.as_bytes(), TaskKind::Regression), &common::dataset_spec("set"), &folder).unwrap();
    assert_eq!(dataset.counts, (20, 0, 10));

    let mut spec = bench.spec(470, 20);
    spec.exclude = vec![(dataset.data_digest.clone(), dataset.split_digest.clone())];
    let (output, out) = bench.prepare(&spec, std::slice::from_ref(&folder), "out");
    let output = output.unwrap();
    // Ten molecules, of which one is in the source twice.
    assert_eq!((output.molecules, output.excluded), (470, 11));
    let taken: HashSet<String> = spelled(&out.join("train.bin")).into_iter().chain(spelled(&out.join("heldout.bin"))).collect();
    let prepared = PreparedDataset::open(&folder).unwrap();
    for (canonical, part) in prepared.canonical.iter().zip(&prepared.parts) {
        assert_eq!(taken.contains(canonical), part.word() == "train", "{canonical}");
    }

    // Folders that are not the named ones.
    spec.exclude[0].1 = "00".into();
    assert!(matches!(bench.prepare(&spec, std::slice::from_ref(&folder), "x").0, Err(MoleculesError::WrongDigest { .. })));
    assert!(matches!(bench.prepare(&spec, &[], "x").0, Err(MoleculesError::MissingInput { .. })));
}

#[test]
fn the_unigram_baseline_and_the_coverage_are_those_of_a_plain_count() {
    let bench = Bench::new();
    let csv = "smiles,y\nCl,1\nCCCC,2\nCCO,3\nc1ccccc1CCCCCCCCCCCCCCCCCCCCCCC,4\nCS,5\n[238U],6\nCCN,7\nCNC,8\n";
    let folder = bench.folder.path().join("dataset");
    std::fs::create_dir(&folder).unwrap();
    let dataset =
        prepare_dataset(&common::table(csv.as_bytes(), TaskKind::Regression), &common::dataset_spec("set"), &folder).unwrap();
    let mut spec = bench.spec(100, 50);
    spec.exclude = vec![(dataset.data_digest, dataset.split_digest)];
    let (output, out) = bench.prepare(&spec, &[folder], "out");
    let output = output.unwrap();

    let tokenizer = SmilesTokenizer::new(&TokenizerSpec::default()).unwrap();
    let pieces = |name: &str| -> Vec<Vec<String>> {
        spelled(&out.join(name)).iter().map(|text| tokenizer.pieces(text).unwrap()).collect()
    };
    let (train, heldout) = (pieces("train.bin"), pieces("heldout.bin"));
    let mut counts: HashMap<&str, f64> = HashMap::new();
    for piece in train.iter().flatten() {
        *counts.entry(piece).or_default() += 1.0;
    }
    let total: f64 = counts.values().sum();
    let kinds = (vocabulary().len() - 4) as f64;
    let nats = |piece: &String| -((counts.get(piece.as_str()).copied().unwrap_or(0.0) + 1.0) / (total + kinds)).ln();
    let number = heldout.iter().flatten().count();
    let wanted = heldout.iter().flatten().map(nats).sum::<f64>() / number as f64;
    assert_eq!((output.tokens, output.heldout_tokens), (total as u64, number as u64));
    assert!((output.unigram_cross_entropy.0 - wanted).abs() < 1e-9, "{} {wanted}", output.unigram_cross_entropy.0);
    assert!(output.unigram_se.0 > 0.0 && output.unigram_se.0 < 0.2);
    // Chlorine, sulphur and the unknown token are never trained; one molecule of eight is too long.
    assert_eq!(output.coverage[0].dataset, "set");
    assert!((output.coverage[0].untrained_token_share.0 - 3.0 / 8.0).abs() < 1e-12);
    assert!((output.coverage[0].untrained_position_share.0 - 1.0 / 8.0).abs() < 1e-12);
}

/// Moves when values of the stage move: then bump `clmbench_protocol::revision::TOKENISE` and renew the constants.
#[test]
fn golden_digests() {
    let bench = Bench::new();
    let spec = bench.spec(100, 20);
    let (first, first_folder) = bench.prepare(&spec, &[], "first");
    let (second, second_folder) = bench.prepare(&spec, &[], "second");
    let output = first.unwrap();
    assert_eq!(output, second.unwrap());
    for name in ["train.bin", "heldout.bin", "heldout.csv", "tokenizer.json"] {
        let [one, two] = [&first_folder, &second_folder].map(|folder| std::fs::read(folder.join(name)).unwrap());
        assert_eq!(one, two, "{name}");
    }
    let (other, _) = bench.prepare(&TokeniseCorpus { seed: 8, ..spec }, &[], "other");
    assert_ne!(other.unwrap().train_digest, output.train_digest);
    assert_eq!(output.train_digest, "48b263507994b2b87e2a5f5b1c2763ae9a7669ce4d624e37cb49b679e2e766b5");
    assert_eq!(output.heldout_digest, "43ac77cf72ff772b3d7509f2d3d20f58cb9066da40d002440e2ee4328b1983fc");
}

#[test]
fn sources_that_are_not_the_named_ones_and_impossible_settings_are_refused() {
    let bench = Bench::new();
    let spec = bench.spec(10, 5);
    let with = |change: &dyn Fn(&mut TokeniseCorpus)| {
        let mut spec = spec.clone();
        change(&mut spec);
        bench.prepare(&spec, &[], "out").0.unwrap_err()
    };
    assert!(matches!(with(&|spec| spec.sources[0].file.sha256 = "00".into()), MoleculesError::WrongDigest { .. }));
    assert!(matches!(with(&|spec| spec.sources[0].file.name = "c.csv".into()), MoleculesError::MissingInput { .. }));
    assert!(matches!(with(&|spec| spec.sources.clear()), MoleculesError::Setting { .. }));
    assert!(
        matches!(with(&|spec| spec.sources[1].group = "a".into()), MoleculesError::Setting { .. }),
        "two weights of one group"
    );
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(with(&|spec| spec.sources[0].weight.0 = weight), MoleculesError::Setting { .. }), "{weight}");
    }
    assert!(matches!(with(&|spec| spec.sources[0].column = "Smiles".into()), MoleculesError::MissingColumn { .. }));
    assert!(matches!(with(&|spec| spec.size = u64::MAX), MoleculesError::TooFewMolecules { .. }));
}

#[test]
fn progress_rises_to_the_end() {
    let bench = Bench::new();
    let folder = bench.folder.path().join("out");
    std::fs::create_dir(&folder).unwrap();
    let mut told = Vec::new();
    prepare_corpus(&bench.spec(400, 20), &bench.sources, &[], &folder, &mut |done, total| told.push((done, total))).unwrap();
    assert_eq!((told.first(), told.last()), (Some(&(0, 420)), Some(&(420, 420))));
    assert!(told.is_sorted());
}

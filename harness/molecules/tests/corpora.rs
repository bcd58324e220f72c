//! Drawing a corpus from small sources.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::Write,
    path::{Path, PathBuf},
};

use clmbench_molecules::{
    MoleculesError, PreparedDataset, SmilesTokenizer, TokenCache, prepare_corpus, prepare_dataset, smiles, vocabulary::vocabulary,
};
use clmbench_protocol::{CorpusOutput, CorpusSource, SmilesForm, SourceFormat, TaskKind, TokeniseCorpus, TokenizerSpec};

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

const FORMS: [SmilesForm; 3] = [SmilesForm::Canonical, SmilesForm::AsWritten, SmilesForm::Random];

fn canonical(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| smiles::canonical(text).unwrap()).collect()
}

#[test]
fn subsets_are_nested_and_the_heldout_sample_is_the_same_in_every_form() {
    let bench = Bench::new();
    let mut molecules = Vec::new();
    for form in FORMS {
        let spec = |size| TokeniseCorpus { form, ..bench.spec(size, 20) };
        let (small, small_folder) = bench.prepare(&spec(40), &[], "small");
        let (large, large_folder) = bench.prepare(&spec(200), &[], "large");
        let (small, large) = (small.unwrap(), large.unwrap());
        assert_eq!((small.molecules, large.molecules, small.heldout_molecules), (40, 200, 20));
        assert_eq!(small.heldout_digest, large.heldout_digest);
        let [few, many] = [&small_folder, &large_folder].map(|folder| spelled(&folder.join("train.bin")));
        assert_eq!(few[..], many[..40]);
        let heldout = spelled(&large_folder.join("heldout.bin"));
        let text = std::fs::read_to_string(large_folder.join("heldout.csv")).unwrap();
        assert_eq!(text, format!("smiles\n{}\n", heldout.join("\n")), "what is tokenised is kept");
        let all: Vec<String> = heldout.into_iter().chain(many).collect();
        let distinct: HashSet<String> = canonical(&all).into_iter().collect();
        assert_eq!(distinct.len(), 220, "no molecule twice, none in both");
        // A quarter is from the second source.
        let from_b = all.iter().filter(|text| text.contains('n') || text.contains("N=")).count();
        assert!((40..=70).contains(&from_b), "{from_b}");
        molecules.push(all);
    }
    let [plain, written, random] = &molecules[..] else { unreachable!() };
    assert_eq!(&canonical(plain), plain, "canonical forms are their own");
    assert_eq!(&canonical(written), plain, "the same molecules in the same order");
    assert_eq!(&canonical(random), plain);
    let sources: Vec<String> = bench.sources.values().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let lines: HashSet<&str> = sources.iter().flat_map(|text| text.lines()).collect();
    assert!(written.iter().all(|text| lines.contains(text.as_str())));
    assert!(written.iter().any(|text| text.contains("C1=CC")), "also those that are not canonical");
    let moved = random.iter().zip(plain).filter(|(one, other)| one != other).count();
    assert!(moved > 180, "{moved}");
    for (text, molecule) in random.iter().zip(plain) {
        assert_eq!(text, &smiles::random(molecule, 7).unwrap());
    }
}

#[test]
fn many_files_of_every_kind_make_one_corpus() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let lines = |prefix: &str, numbers: std::ops::Range<usize>| numbers.map(|n| chain(prefix, n)).collect::<Vec<_>>();
    let table = |rows: &[String]| format!("name,SMILES\n{}", rows.iter().map(|text| format!("x,{text}\n")).collect::<String>());
    let zipped = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let list = lines("c1ccccc1", 0..40).join(" benzene\r\n") + "\r\n# forty\r\n\r\n";
    let files = [
        (write("a.smi", list.as_bytes()), "a", 2.0, SourceFormat::Lines),
        (write("b.txt", &zipped(&lines("c1ccccc1", 30..80).join("\n"))), "a", 2.0, SourceFormat::Lines),
        (write("c.csv", table(&lines("c1ccncc1", 0..30)).as_bytes()), "c", 1.0, SourceFormat::Csv),
        (write("d.csv.gz", &zipped(&table(&lines("c1ccncc1", 30..60)))), "c", 1.0, SourceFormat::Csv),
    ];
    let sources = files.iter().map(|(path, group, weight, format)| {
        let column = if *format == SourceFormat::Csv { "SMILES" } else { "" };
        CorpusSource { format: *format, column: column.into(), ..common::corpus_source(path, group, *weight) }
    });
    let spec = common::corpus_spec(sources.collect(), 110, 30);
    let paths = files.iter().map(|(path, ..)| (path.file_name().unwrap().to_str().unwrap().to_owned(), path.clone())).collect();
    let output = prepare_corpus(&spec, &paths, &[], folder.path(), &mut |_, _| {}).unwrap();
    // 80 different benzenes in 90 rows, 60 pyridines; all 140 are needed.
    assert_eq!((output.molecules, output.duplicates, output.invalid), (110, 10, 0));
    let (train, heldout) = (spelled(&folder.path().join("train.bin")), spelled(&folder.path().join("heldout.bin")));
    let pyridines = |texts: &[String]| texts.iter().filter(|text| text.contains('n')).count();
    assert_eq!(pyridines(&heldout), 10, "shares are of the molecules that are kept");
    assert_eq!(pyridines(&heldout) + pyridines(&train[..60]), 30);
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
fn next_to_nothing_and_only_invalid_molecules_say_how_many_there_were_and_how_many_are_wanted() {
    let attempt = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.smi");
        std::fs::write(&path, text).unwrap();
        let source =
            CorpusSource { format: SourceFormat::Lines, column: String::new(), ..common::corpus_source(&path, "a", 1.0) };
        let spec = common::corpus_spec(vec![source], 10, 5);
        let paths = BTreeMap::from([("list.smi".to_owned(), path)]);
        let out = folder.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let error = prepare_corpus(&spec, &paths, &[], &out, &mut |_, _| {}).unwrap_err();
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0, "nothing half-written");
        error.to_string()
    };
    assert!(attempt("").contains("list.smi has no rows"));
    assert!(attempt("# only a comment\n\n").contains("list.smi has no rows"));
    let one = attempt("CCO ethanol\n");
    assert!(one.contains("needs 15 molecules") && one.contains("only 1 (1 rows") && one.contains("not even enough"), "{one}");
    let none = attempt("# names\nfoo\n\0\nC(\n");
    assert!(none.contains("only 0 (3 rows, of which 3 invalid"), "{none}");
    assert!(none.contains("the first invalid one is list.smi, row "), "{none}");
    let few = attempt(&(0..8).map(|number| chain("c1ccccc1", number) + "\n").collect::<String>());
    assert!(few.contains("ask for at most 3"), "{few}");
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
    let prepared = PreparedDataset::open(&folder).unwrap();
    for form in FORMS {
        spec.form = form;
        let (output, out) = bench.prepare(&spec, std::slice::from_ref(&folder), "out");
        let output = output.unwrap();
        // Ten molecules, of which one is in the source twice.
        assert_eq!((output.molecules, output.excluded), (470, 11));
        assert_eq!(output.coverage[0].test_molecules_removed, 10);
        let taken = [spelled(&out.join("train.bin")), spelled(&out.join("heldout.bin"))].concat();
        let taken: HashSet<String> = canonical(&taken).into_iter().collect();
        for (canonical, part) in prepared.canonical.iter().zip(&prepared.parts) {
            assert_eq!(taken.contains(canonical), part.word() == "train", "{canonical}");
        }
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

    // The bigram by its formula, from pieces alone.
    let mut after: HashMap<&str, HashMap<&str, f64>> = HashMap::new();
    for molecule in &train {
        for (place, piece) in molecule.iter().enumerate() {
            let before = if place == 0 { "" } else { &molecule[place - 1] };
            *after.entry(before).or_default().entry(piece).or_default() += 1.0;
        }
    }
    let surprise = |before: &str, piece: &String| {
        let Some(seen) = after.get(before) else { return nats(piece) };
        let kinds = seen.len() as f64;
        let count = seen.get(piece.as_str()).copied().unwrap_or(0.0);
        -((count + kinds * (-nats(piece)).exp()) / (seen.values().sum::<f64>() + kinds)).ln()
    };
    let of = |molecule: &Vec<String>| -> f64 {
        molecule
            .iter()
            .enumerate()
            .map(|(place, piece)| surprise(if place == 0 { "" } else { &molecule[place - 1] }, piece))
            .sum()
    };
    let wanted = heldout.iter().map(of).sum::<f64>() / number as f64;
    assert!((output.bigram_cross_entropy.0 - wanted).abs() < 1e-9, "{} {wanted}", output.bigram_cross_entropy.0);
    assert!(output.bigram_cross_entropy.0 < output.unigram_cross_entropy.0);
    assert!(output.two_neighbour_cross_entropy.0 < output.bigram_cross_entropy.0);
    assert!(output.bigram_se.0 > 0.0 && output.two_neighbour_se.0 > 0.0);
    // Chlorine, sulphur and the unknown token are never trained; one molecule of eight is too long.
    assert_eq!(output.coverage[0].dataset, "set");
    assert!((output.coverage[0].untrained_token_share.0 - 3.0 / 8.0).abs() < 1e-12);
    assert!((output.coverage[0].unknown_token_share.0 - 1.0 / 8.0).abs() < 1e-12, "the uranium");
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
    assert_eq!(output.train_digest, "cf200b948080bb9365c761f8af2f8998819cc2a9d9b732b8226f4565b78bbcdc");
    assert_eq!(output.heldout_digest, "a906f68082ab0dfecccb975f138f27b36fe17fc617425d91ba9847e5756c733b");
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

//! Draws a corpus subset and its held-out sample from unlabelled sources and tokenises them.
//!
//! Candidates come in a fixed order (by hash within a group, by weight between groups). Walking it, invalid molecules, repeats and test molecules of
//! the suite's datasets are left out and counted; the first survivors are the held-out sample, the next ones the training subset. So the held-out sample
//! is the same for every size, it shares no molecule with any subset, and subsets are nested.
//!
//! Repeats and test molecules are found by canonical SMILES whatever the form; so the molecules are the same in every form, and only how they are written differs:
//!
//! | form | how a molecule is written |
//! |---|---|
//! | canonical | its canonical SMILES |
//! | as written | as in the source; of several spellings that which is drawn first |
//! | random | [`smiles::random`] of its canonical SMILES under the corpus seed, one for good |
//!
//! Molecules of more tokens than the tokenizer allows keep their first ones ([`Encoder::encode`]) and are counted.
//!
//! | file | what it holds |
//! |---|---|
//! | `train.bin`, `heldout.bin` | tokens of the molecules in their form, in the order of drawing |
//! | `heldout.csv` | the held-out molecules in their form, column `smiles` |
//! | `tokenizer.json` | the tokenizer |

use std::{
    collections::{BTreeMap, HashSet},
    io::Write,
    path::{Path, PathBuf},
};

use clmbench_protocol::{CorpusOutput, Coverage, Number, SmilesForm, TokeniseCorpus};

use crate::{
    cache::TokenCacheBuilder,
    count_models::CountModels,
    digest::{sha256_file, write_whole},
    draw::{Draw, Group, Texts},
    encoder::Encoder,
    error::MoleculesError,
    prepared::{Part, PreparedDataset},
    smiles::{self, InvalidMolecule},
    source::{Selection, read_smiles},
    special::SpecialIds,
    unigram,
};

/// Prepares a corpus in a folder with our own tokenizer.
///
/// # Errors
/// See [`prepare_corpus_with`] and [`Encoder::new`].
pub fn prepare_corpus(
    spec: &TokeniseCorpus,
    sources: &BTreeMap<String, PathBuf>,
    excluded: &[PathBuf],
    folder: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<CorpusOutput, MoleculesError> {
    prepare_corpus_with(spec, &Encoder::new(&spec.tokenizer, None)?, (sources, excluded), folder, progress)
}

/// Prepares a corpus in a folder with the tokenizer of the specification.
///
/// `sources` are the paths of the source files by their names in the specification; `excluded` are the folders of prepared datasets in the order of
/// [`TokeniseCorpus::exclude`]; `progress` is told (molecules found, molecules needed).
///
/// # Errors
/// [`MoleculesError::MissingInput`] and [`MoleculesError::WrongDigest`] if what was handed over is not what the specification names,
/// [`MoleculesError::Setting`] for impossible weights, [`MoleculesError::TooFewMolecules`] if the sources give too little; else see
/// [`read_smiles`], [`PreparedDataset::open`], [`Encoder::encode`].
pub fn prepare_corpus_with(
    spec: &TokeniseCorpus,
    tokenizer: &Encoder,
    (sources, excluded): (&BTreeMap<String, PathBuf>, &[PathBuf]),
    folder: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<CorpusOutput, MoleculesError> {
    let datasets = open_excluded(spec, excluded, tokenizer)?;
    let forbidden: HashSet<[u8; 16]> = datasets
        .iter()
        .flat_map(|dataset| dataset.canonical.iter().zip(&dataset.parts).filter(|(_, part)| **part == Part::Test))
        .map(|(canonical, _)| short_hash(canonical))
        .collect();
    let needed = spec.heldout.saturating_add(spec.size);
    progress(0, needed);
    let groups = read_groups(spec, sources)?;
    let drawn = walk(spec, &groups, &forbidden, tokenizer, progress)?;
    drop(groups);

    write_heldout(&folder.join("heldout.csv"), &drawn.heldout_smiles)?;
    let heldout_digest = drawn.heldout.write(&folder.join("heldout.bin"))?;
    let train_digest = drawn.train.write(&folder.join("train.bin"))?;
    tokenizer.write(&folder.join("tokenizer.json"))?;

    let special = tokenizer.special();
    let counts = unigram::counts(&drawn.train, tokenizer.vocabulary_size(), &special);
    let (unigram_cross_entropy, unigram_se) = unigram::cross_entropy(&counts, &drawn.heldout, &special);
    let neighbours = CountModels::new(&drawn.train, &counts, &special).cross_entropies(&drawn.heldout);
    Ok(CorpusOutput {
        corpus: spec.corpus.clone(),
        molecules: drawn.train.len() as u64,
        tokens: counts.iter().sum(),
        heldout_molecules: drawn.heldout.len() as u64,
        heldout_tokens: unigram::counts(&drawn.heldout, tokenizer.vocabulary_size(), &special).iter().sum(),
        invalid: drawn.invalid,
        duplicates: drawn.duplicates,
        excluded: drawn.excluded,
        truncated: drawn.truncated,
        unigram_cross_entropy: Number(unigram_cross_entropy),
        unigram_se: Number(unigram_se),
        bigram_cross_entropy: Number(neighbours.bigram.0),
        bigram_se: Number(neighbours.bigram.1),
        two_neighbour_cross_entropy: Number(neighbours.two_neighbour.0),
        two_neighbour_se: Number(neighbours.two_neighbour.1),
        train_digest,
        heldout_digest,
        tokenizer_digest: tokenizer.digest(),
        coverage: datasets.iter().map(|dataset| coverage(dataset, (&counts, &special), &drawn)).collect(),
    })
}

fn open_excluded(
    spec: &TokeniseCorpus,
    folders: &[PathBuf],
    tokenizer: &Encoder,
) -> Result<Vec<PreparedDataset>, MoleculesError> {
    if folders.len() != spec.exclude.len() {
        return Err(MoleculesError::MissingInput {
            what: format!("{} excluded datasets are named, {} folders of such", spec.exclude.len(), folders.len()),
        });
    }
    let mut datasets = Vec::with_capacity(folders.len());
    for (folder, (data, split)) in folders.iter().zip(&spec.exclude) {
        let dataset = PreparedDataset::open(folder)?;
        let found = &dataset.output;
        let pairs = [(&found.data_digest, data), (&found.split_digest, split), (&found.tokenizer_digest, &tokenizer.digest())];
        for (found, wanted) in pairs {
            if found != wanted {
                return Err(MoleculesError::WrongDigest { path: folder.clone(), found: found.clone(), wanted: wanted.clone() });
            }
        }
        datasets.push(dataset);
    }
    Ok(datasets)
}

fn read_groups(spec: &TokeniseCorpus, sources: &BTreeMap<String, PathBuf>) -> Result<Vec<Group>, MoleculesError> {
    let wrong = |value: String, why: String| MoleculesError::Setting { setting: "corpus.sources", value, why };
    if spec.sources.is_empty() {
        return Err(wrong(spec.corpus.clone(), "a corpus needs at least one source".into()));
    }
    let mut groups: Vec<Group> = Vec::new();
    for source in &spec.sources {
        let weight = source.weight.0;
        if !weight.is_finite() || weight <= 0.0 {
            return Err(wrong(source.group.clone(), format!("its weight {weight} must be a positive number")));
        }
        let place = groups.iter().position(|group| group.name == source.group).unwrap_or(groups.len());
        if place == groups.len() {
            let name = source.group.clone();
            groups.push(Group { name, weight, candidates: Texts::default(), rows: Vec::new(), files: Vec::new() });
        }
        let group = &mut groups[place];
        if group.weight.to_bits() != weight.to_bits() {
            return Err(wrong(source.group.clone(), format!("its sources give it the weights {} and {weight}", group.weight)));
        }
        let name = &source.file.name;
        let path = sources.get(name).ok_or_else(|| MoleculesError::MissingInput { what: format!("source file `{name}`") })?;
        let found = sha256_file(path)?;
        if found != source.file.sha256 {
            return Err(MoleculesError::WrongDigest { path: path.clone(), found, wanted: source.file.sha256.clone() });
        }
        let only = source.only.as_ref().map(|(column, value)| (column.as_str(), value.as_str()));
        group.files.push((group.candidates.len(), name.clone()));
        read_smiles(path, Selection { name, format: source.format, column: &source.column, only }, |row, text| {
            group.candidates.push(text);
            group.rows.push(u32::try_from(row).unwrap_or(u32::MAX));
        })?;
    }
    Ok(groups)
}

struct Drawn {
    heldout: TokenCacheBuilder,
    heldout_smiles: Vec<String>,
    train: TokenCacheBuilder,
    candidates: u64,
    invalid: u64,
    first_invalid: Option<String>,
    duplicates: u64,
    excluded: u64,
    /// The test molecules that were met.
    met: HashSet<[u8; 16]>,
    truncated: u64,
}

fn walk(
    spec: &TokeniseCorpus,
    groups: &[Group],
    forbidden: &HashSet<[u8; 16]>,
    tokenizer: &Encoder,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Drawn, MoleculesError> {
    let empty = || TokenCacheBuilder::new(tokenizer.max_tokens(), tokenizer.vocabulary_size());
    let mut drawn = Drawn {
        heldout: empty(),
        heldout_smiles: Vec::new(),
        train: empty(),
        candidates: 0,
        invalid: 0,
        first_invalid: None,
        duplicates: 0,
        excluded: 0,
        met: HashSet::new(),
        truncated: 0,
    };
    let needed = spec.heldout.saturating_add(spec.size);
    let mut seen: HashSet<[u8; 16]> = HashSet::new();
    let mut candidates = Draw::new(groups, spec.seed)?;
    while (seen.len() as u64) < needed {
        let Some(candidate) = candidates.next() else {
            return Err(MoleculesError::TooFewMolecules {
                corpus: spec.corpus.clone(),
                wanted: needed,
                heldout: spec.heldout,
                size: spec.size,
                available: seen.len() as u64,
                candidates: drawn.candidates,
                invalid: drawn.invalid,
                first_invalid: drawn.first_invalid,
                duplicates: drawn.duplicates,
                excluded: drawn.excluded,
            });
        };
        drawn.candidates += 1;
        let (canonical, written) = match spell(candidate.text, spec) {
            Ok(both) => both,
            Err(reason) => {
                drawn.invalid += 1;
                let origin = || groups[candidate.group].origin(candidate.index);
                drawn.first_invalid.get_or_insert_with(|| format!("{}: {reason}", origin()));
                continue;
            }
        };
        let hash = short_hash(&canonical);
        if forbidden.contains(&hash) {
            drawn.excluded += 1;
            drawn.met.insert(hash);
            continue;
        }
        if !seen.insert(hash) {
            drawn.duplicates += 1;
            continue;
        }
        candidates.keep(candidate.group);
        let encoded = tokenizer.encode(&written)?;
        drawn.truncated += u64::from(encoded.truncated);
        if (drawn.heldout.len() as u64) < spec.heldout {
            drawn.heldout.push(&encoded.ids)?;
            drawn.heldout_smiles.push(written);
        } else {
            drawn.train.push(&encoded.ids)?;
        }
        if seen.len().is_multiple_of(256) {
            progress(seen.len() as u64, needed);
        }
    }
    progress(needed, needed);
    Ok(drawn)
}

/// Canonical SMILES of a candidate, and how it is written.
fn spell(text: &str, spec: &TokeniseCorpus) -> Result<(String, String), InvalidMolecule> {
    let canonical = smiles::canonical(text)?;
    let written = match spec.form {
        SmilesForm::Canonical => canonical.clone(),
        SmilesForm::AsWritten => text.trim().to_owned(),
        SmilesForm::Random => smiles::random(&canonical, spec.seed)?,
    };
    Ok((canonical, written))
}

fn write_heldout(path: &Path, molecules: &[String]) -> Result<(), MoleculesError> {
    write_whole(path, |file| {
        file.write_all(b"smiles\n")?;
        // A valid SMILES holds neither comma nor quote nor line end.
        molecules.iter().try_for_each(|text| writeln!(file, "{text}"))
    })
}

fn coverage(dataset: &PreparedDataset, (train_counts, special): (&[u64], &SpecialIds), drawn: &Drawn) -> Coverage {
    let tested = dataset.canonical.iter().zip(&dataset.parts).filter(|(_, part)| **part == Part::Test);
    let tested: HashSet<[u8; 16]> = tested.map(|(canonical, _)| short_hash(canonical)).collect();
    let total = dataset.len() as f64;
    let share = |bad: &dyn Fn(&[u16]) -> bool| Number(dataset.tokens.iter().filter(|ids| bad(ids)).count() as f64 / total);
    Coverage {
        test_molecules_removed: tested.intersection(&drawn.met).count() as u64,
        dataset: dataset.output.dataset.clone(),
        unknown_token_share: Number(dataset.output.unknown_token_molecules as f64 / total),
        untrained_token_share: share(&|ids| ids.iter().any(|id| special.is_real(*id) && train_counts[usize::from(*id)] == 0)),
        untrained_position_share: share(&|ids| ids.len() > drawn.train.longest()),
    }
}

/// First half of the BLAKE3 of a text: enough that no two molecules of any corpus meet.
fn short_hash(text: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..16]);
    short
}

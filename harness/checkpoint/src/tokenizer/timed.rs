//! A foreign tokenizer under a time limit.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Map, Value};
use tokenizers::{Encoding, Tokenizer};

use super::{
    SMILES_REGEX, judge,
    watch::{SUSPECT, Watch, quoted},
};
use crate::error::{CheckpointError, shown};

/// Time in which a tokenizer must have been read.
pub const LOAD_LIMIT: Duration = Duration::from_secs(30);
/// Time for the molecules of the trial, all together.
pub const TRIAL_LIMIT: Duration = Duration::from_secs(2);
/// Time for one molecule.
pub const ONE_LIMIT: Duration = Duration::from_secs(2);
/// Mean time of a molecule, once [`MEAN_OF`] have been encoded.
pub const MEAN_LIMIT: Duration = Duration::from_millis(50);

/// Molecules before a mean is one.
const MEAN_OF: u64 = 100;

/// A `tokenizer.json` of others, which is watched: reading, a trial, every molecule and the mean have limits, and a regular expression that gives
/// up is an error. An expression other than [`SMILES_REGEX`] and those of the library runs in a thread of its own, which is left alone where it
/// takes too long (a thread cannot be stopped; it ends with its process, or when the expression does).
pub struct Timed {
    own: Arc<Own>,
    thread: Option<Mutex<Asked>>,
    count: AtomicU64,
    nanoseconds: AtomicU64,
}

/// What the thread has too.
struct Own {
    tokenizer: Tokenizer,
    watch: Watch,
}

/// The thread, as it is talked to; none once it was given up.
type Asked = Option<Channel>;
/// Molecules there, encodings back.
type Channel = (Sender<(String, bool)>, Receiver<Result<Encoding, CheckpointError>>);

impl std::fmt::Debug for Timed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Timed").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Timed {
    /// Judges, reads and tries a `tokenizer.json`.
    ///
    /// # Errors
    /// [`CheckpointError::Json`] and [`CheckpointError::Tokenizer`] for one that cannot be used, [`CheckpointError::Slow`] for one that takes longer than a limit,
    /// [`CheckpointError::GaveUp`] and [`CheckpointError::Refused`] for one that fails on a molecule of the trial.
    pub fn new(json: &[u8]) -> Result<Self, CheckpointError> {
        let file = "tokenizer.json";
        Self::of_file(json, &crate::json::object(file, json)?, file)
    }

    /// The same of a file that was read to this value.
    pub(super) fn of_file(json: &[u8], value: &Map<String, Value>, file: &str) -> Result<Self, CheckpointError> {
        let patterns = judge::judge(file, value)?;
        let (bytes, name, list) = (json.to_vec(), file.to_owned(), patterns.clone());
        let read = move || {
            let tokenizer =
                Tokenizer::from_bytes(&bytes).map_err(|error| CheckpointError::tokenizer(&name, shown(&error.to_string())))?;
            let watch = Watch::new(&list).map_err(|what| CheckpointError::tokenizer(&name, what))?;
            Ok(Own { tokenizer, watch })
        };
        let broken = || CheckpointError::tokenizer(file, "the tokenizers library fails on it; save it again");
        let own = Arc::new(limited(LOAD_LIMIT, read).unwrap_or_else(|late| {
            let slow = || CheckpointError::Slow { what: format!("it was not read in {} s", LOAD_LIMIT.as_secs()) };
            Err(if late == RecvTimeoutError::Timeout { slow() } else { broken() })
        })?);
        let trial = {
            let own = own.clone();
            move || {
                molecules().iter().try_for_each(|molecule| {
                    own.encode(molecule, true)?;
                    own.check(molecule)
                })
            }
        };
        limited(TRIAL_LIMIT, trial).unwrap_or_else(|late| {
            let what = || format!("{} molecules took more than {} s", molecules().len(), TRIAL_LIMIT.as_secs());
            Err(if late == RecvTimeoutError::Timeout { CheckpointError::Slow { what: what() } } else { broken() })
        })?;
        let foreign = patterns.iter().any(|pattern| pattern != SMILES_REGEX);
        let thread = foreign.then(|| Mutex::new(Some(started(own.clone()))));
        Ok(Self { own, thread, count: AtomicU64::new(0), nanoseconds: AtomicU64::new(0) })
    }

    /// The tokenizer, for questions other than encoding.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.own.tokenizer
    }

    /// Tokens of a molecule, with those that the tokenizer's template adds or without; offsets count letters.
    ///
    /// # Errors
    /// [`CheckpointError::Slow`] for a molecule that takes longer than [`ONE_LIMIT`], or where the mean is beyond [`MEAN_LIMIT`]; [`CheckpointError::GaveUp`] if
    /// a regular expression does; [`CheckpointError::Refused`] if the tokenizer refuses it.
    pub fn encode(&self, molecule: &str, special: bool) -> Result<Encoding, CheckpointError> {
        let begin = Instant::now();
        let slow = || CheckpointError::Slow { what: format!("{} took more than {} s", quoted(molecule), ONE_LIMIT.as_secs()) };
        let encoding = match &self.thread {
            None => self.own.watched(molecule, special)?,
            Some(thread) => {
                let mut asked = thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let (sender, receiver) = asked.as_ref().ok_or_else(slow)?;
                let answer = match sender.send((molecule.to_owned(), special)) {
                    Ok(()) => receiver.recv_timeout(ONE_LIMIT),
                    Err(_) => Err(RecvTimeoutError::Disconnected),
                };
                match answer {
                    Ok(answer) => answer?,
                    Err(RecvTimeoutError::Timeout) => {
                        *asked = None;
                        return Err(slow());
                    }
                    Err(RecvTimeoutError::Disconnected) => return Err(failed(molecule)),
                }
            }
        };
        let took = begin.elapsed();
        if took > ONE_LIMIT {
            return Err(slow());
        }
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let sum = self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed).saturating_add(nanoseconds);
        if count >= MEAN_OF && Duration::from_nanos(sum / count) > MEAN_LIMIT {
            let what =
                format!("{count} molecules took {} ms each, more than {}", sum / count / 1_000_000, MEAN_LIMIT.as_millis());
            return Err(CheckpointError::Slow { what });
        }
        Ok(encoding)
    }
}

impl Own {
    fn encode(&self, molecule: &str, special: bool) -> Result<Encoding, CheckpointError> {
        let refused = |what: String| CheckpointError::Refused { text: quoted(molecule), what };
        catch_unwind(AssertUnwindSafe(|| self.tokenizer.encode_char_offsets(molecule, special)))
            .map_err(|_| failed(molecule))?
            .map_err(|error| refused(shown(&error.to_string())))
    }

    fn check(&self, molecule: &str) -> Result<(), CheckpointError> {
        if self.watch.is_empty() {
            return Ok(());
        }
        catch_unwind(AssertUnwindSafe(|| self.watch.check(&self.tokenizer, molecule))).map_err(|_| failed(molecule))?
    }

    /// Encodes, and looks at a molecule again that took long.
    fn watched(&self, molecule: &str, special: bool) -> Result<Encoding, CheckpointError> {
        let begin = Instant::now();
        let encoding = self.encode(molecule, special)?;
        if begin.elapsed() > SUSPECT {
            self.check(molecule)?;
        }
        Ok(encoding)
    }
}

/// A thread that encodes what it is sent.
fn started(own: Arc<Own>) -> Channel {
    let (sender, molecules) = mpsc::channel::<(String, bool)>();
    let (answer, receiver) = mpsc::channel();
    thread::spawn(move || {
        for (molecule, special) in molecules {
            if answer.send(own.watched(&molecule, special)).is_err() {
                return;
            }
        }
    });
    (sender, receiver)
}

/// The library panicked.
fn failed(molecule: &str) -> CheckpointError {
    CheckpointError::Refused { text: quoted(molecule), what: "the tokenizers library fails on it".into() }
}

/// The result of a piece of work; `Timeout` if it takes longer (its thread is then left alone), `Disconnected` if it panics, as the library
/// does on some files.
fn limited<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Result<T, RecvTimeoutError> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let _ = sender.send(work()); // nobody listens once the limit is over
    });
    receiver.recv_timeout(limit)
}

/// Molecules of the trial: common ones, long ones, and texts on which expressions that backtrack take longest.
fn molecules() -> Vec<String> {
    let common = [
        "",
        "C",
        "CC(=O)Oc1ccccc1C(=O)O",
        "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
        "C[C@H](N)C(=O)O",
        "[Na+].[Cl-]",
        "F/C=C\\F",
        "C1CC2(C1)CCC%12CC2CC%12",
        "O=C(Nc1ccc(Br)cc1)[13CH2]Cl",
        "CC[N+](C)(C)C.[O-]S(=O)(=O)c1ccc(I)cc1",
        "é \u{2028}\u{1f9ea} 中",
    ];
    let repeated = ["C", "c1ccccc1", "CC(C)"].map(|part| part.repeat(5_000 / part.len()));
    let odd =
        ["a", "(", "[", "=", " ", "0", "aaab", "N[C@@H](C)C(=O)", "C c\t", "[C@@"].map(|part| part.repeat(1_000 / part.len()));
    // An expression that eats a repetition and then wants something else.
    let almost = ["a", "C", "c", "1", " "].map(|part| format!("{}!", part.repeat(1_000)));
    common.into_iter().map(str::to_owned).chain(repeated).chain(odd).chain(almost).collect()
}

//! How many runs may stand in one fit: before checkpoints of others are read at most so many, and exactly so many after.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_protocol::{ImportOutput, Objective};
use serde::Serialize;

use super::build::RunCell;

/// The most runs that one fit of a metric on the held-out sample may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Pool {
    /// Runs.
    pub runs: usize,
    /// Whether they are as many only if checkpoints of others that were not read yet have equal tokenizers.
    pub conditional: bool,
}

/// A counted run, and what it shares with others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    cell: usize,
    objective: Objective,
    tokens: Tokens,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tokens {
    /// Our own, and the smallest subset of the corpus of its held-out sample.
    Own(Option<usize>),
    /// Those of the checkpoints of others of this number, whose files are the same; `there` of files that were not fetched, which are
    /// taken to be.
    Theirs { group: usize, there: bool },
}

impl Member {
    /// A run of a plan; `there` says whether the files of a checkpoint of others are.
    pub fn of(run: &RunCell<'_>, there: bool) -> Self {
        let tokens = if run.imported { Tokens::Theirs { group: run.datasets, there } } else { Tokens::Own(run.smallest) };
        Self { cell: run.cell, objective: run.model.info.objective, tokens }
    }
}

/// The largest pool; `read` finds what is known of a checkpoint of others by its cell.
pub(super) fn pool<'a>(members: &[Member], read: &dyn Fn(usize) -> Option<&'a ImportOutput>) -> Pool {
    let mut own: BTreeMap<(Objective, Option<usize>), usize> = BTreeMap::new();
    let mut known: BTreeMap<(Objective, String), BTreeSet<&str>> = BTreeMap::new();
    let mut open: BTreeMap<Objective, Vec<Tokens>> = BTreeMap::new();
    for member in members {
        match (member.tokens, read(member.cell)) {
            (Tokens::Own(sample), _) => *own.entry((member.objective, sample)).or_default() += 1,
            (_, Some(output)) => {
                let tokens = format!("{} {} {:?}", output.tokenizer_digest, output.max_tokens, output.special);
                // The same weights twice are one run.
                known.entry((member.objective, tokens)).or_default().insert(&output.checkpoint.weights_digest);
            }
            (tokens, None) => open.entry(member.objective).or_default().push(tokens),
        }
    }
    let fixed = own.values().copied().chain(known.values().map(BTreeSet::len)).max().unwrap_or(0);
    let most = open.iter().map(|(objective, tokens)| {
        let of_objective = known.iter().filter(|((other, _), _)| other == objective).map(|(_, runs)| runs.len()).max();
        let of_one = matches!(tokens[0], Tokens::Theirs { there: true, .. }) && tokens.iter().all(|other| *other == tokens[0]);
        (of_objective.unwrap_or(0) + tokens.len(), of_objective.is_some() || !of_one)
    });
    let (runs, conditional) = most.max().unwrap_or((0, false));
    if runs > fixed { Pool { runs, conditional: conditional && runs > 1 } } else { Pool { runs: fixed, conditional: false } }
}

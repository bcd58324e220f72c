//! What a merge would do, decided before anything is changed.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_protocol::OutputFile;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{
    MergeKind, MergeRow, MergeState,
    theirs::{TheirCell, TheirPlanned, TheirPlugin, TheirSuite, Theirs},
};
use crate::{
    GateBaselineRow, GateJudgementRow, StoreError, plan,
    value::{difference, from_json},
};

/// What is to be done.
pub(super) struct Decided {
    /// Everything, as it is shown.
    pub rows: Vec<MergeRow>,
    /// Identities of cells whose result or definition is taken, with whether the cell is here already.
    pub cells: BTreeMap<String, Taken>,
    /// Suites of theirs, the oldest first.
    pub suites: Vec<DecidedSuite>,
    pub plugins: Vec<TheirPlugin>,
    pub gate_baselines: Vec<GateBaselineRow>,
    pub gate_judgements: Vec<GateJudgementRow>,
}

/// A cell that is taken.
pub(super) struct Taken {
    /// A key of it.
    pub key: String,
    /// Whether it is here already, unfinished.
    pub known: bool,
    /// Files of its result; none where it is not finished, so that its definition alone is taken.
    pub files: Option<Vec<OutputFile>>,
}

/// A suite of theirs.
pub(super) struct DecidedSuite {
    pub theirs: TheirSuite,
    /// Its number here, if it is here.
    pub ours: Option<i64>,
    /// Keys that get their identity.
    pub bound: BTreeSet<String>,
}

/// How a cell of theirs stands to ours.
enum Stand {
    New { known: bool },
    Same,
    Conflict { ours: String, theirs: String, why: Option<String> },
}

/// Decides, but for files.
///
/// # Errors
/// An error of our database.
pub(super) fn decide(ours: &Transaction<'_>, theirs: Theirs) -> Result<Decided, StoreError> {
    let mut stands = BTreeMap::new();
    for (identity, cell) in &theirs.cells {
        stands.insert(identity.clone(), stand(ours, identity, cell)?);
    }
    let mut decided = Decided {
        rows: Vec::new(),
        cells: BTreeMap::new(),
        suites: Vec::new(),
        plugins: Vec::new(),
        gate_baselines: Vec::new(),
        gate_judgements: Vec::new(),
    };
    let mut shown: BTreeMap<String, MergeRow> = BTreeMap::new();
    for suite in theirs.suites {
        let suite = decide_suite(ours, suite, &stands, &mut decided.cells, &mut shown)?;
        let state = if suite.ours.is_some() { MergeState::Same } else { MergeState::New };
        decided.rows.push(MergeRow::new(MergeKind::Suite, state, &suite.theirs.suite.name));
        decided.suites.push(suite);
    }
    // A cell that one suite leaves out and another takes is taken.
    for (identity, taken) in &mut decided.cells {
        if let Some(row) = shown.get_mut(identity).filter(|row| row.state == MergeState::LeftOut) {
            (row.state, row.why) = (MergeState::New, None);
        }
        if let Some((_, files)) = theirs.cells.get(identity).and_then(|cell| cell.result.as_ref()) {
            taken.files = Some(files.clone());
        }
    }
    // Results that no plan of theirs names any more say nothing of what they rest on.
    for (identity, _) in theirs.cells.iter().filter(|(identity, cell)| cell.result.is_some() && !shown.contains_key(*identity)) {
        let why = Some("no plan of the other store names it".to_owned());
        let row = MergeRow::of(MergeKind::Cell, MergeState::LeftOut, "not planned", identity);
        decided.rows.push(MergeRow { why, ..row });
    }
    decided.rows.extend(shown.into_values());
    decide_plugins(ours, theirs.plugins, &mut decided)?;
    decide_gate(ours, theirs.gate_baselines, theirs.gate_judgements, &mut decided)?;
    Ok(decided)
}

fn stand(ours: &Transaction<'_>, identity: &str, cell: &TheirCell) -> Result<Stand, StoreError> {
    let known: Option<(String, Option<String>)> = ours
        .prepare_cached("SELECT spec_json, output_digest FROM cell WHERE identity = ?1")?
        .query_row([identity], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((spec_json, digest)) = known else {
        return Ok(Stand::New { known: false });
    };
    let unlike = difference(&from_json(&spec_json, "stored cell definition")?, &from_json(&cell.spec_json, "cell definition")?);
    if let Some(difference) = unlike {
        let hash = |text: &str| blake3::hash(text.as_bytes()).to_hex().to_string();
        let why = Some(format!("one identity with two definitions: {difference}"));
        return Ok(Stand::Conflict { ours: hash(&spec_json), theirs: hash(&cell.spec_json), why });
    }
    Ok(match (digest, &cell.result) {
        (Some(ours), Some((theirs, _))) if ours != *theirs => Stand::Conflict { ours, theirs: theirs.clone(), why: None },
        (None, Some(_)) => Stand::New { known: true },
        _ => Stand::Same,
    })
}

/// Goes through a plan of theirs in its order: a cell is bound here if what it needs is the same here as there.
fn decide_suite(
    ours: &Transaction<'_>,
    theirs: TheirSuite,
    stands: &BTreeMap<String, Stand>,
    taken: &mut BTreeMap<String, Taken>,
    shown: &mut BTreeMap<String, MergeRow>,
) -> Result<DecidedSuite, StoreError> {
    let number: Option<i64> =
        ours.query_row("SELECT id FROM suite WHERE digest = ?1", [&theirs.suite.digest], |row| row.get(0)).optional()?;
    let needs = number.map(|number| plan::dependencies(ours, number)).transpose()?;
    let (mut bound, mut agreeing) = (BTreeSet::new(), BTreeSet::new());
    for cell in &theirs.cells {
        let Some(identity) = &cell.identity else { continue };
        let Some(stand) = stands.get(identity) else { continue };
        let mut show = |row: MergeRow| {
            shown.entry(identity.clone()).or_insert(row);
        };
        if !cell.dependencies.iter().all(|key| agreeing.contains(key)) {
            let why = Some("what it needs is not the same here as there".to_owned());
            show(MergeRow { why, ..MergeRow::of(MergeKind::Cell, MergeState::LeftOut, &cell.key, identity) });
            continue;
        }
        let place = match (number, &needs) {
            (Some(number), Some(needs)) => place(ours, number, needs, cell)?,
            _ => Place::Free,
        };
        match stand {
            Stand::Conflict { ours, theirs, why } => {
                let row = MergeRow::of(MergeKind::Cell, MergeState::Conflict, &cell.key, identity).unlike(ours, theirs);
                show(MergeRow { why: why.clone(), ..row });
                if matches!(place, Place::Free) {
                    bound.insert(cell.key.clone());
                }
                continue;
            }
            _ if matches!(place, Place::Other) => {
                let why = Some("its suite is planned or bound in another way here".to_owned());
                show(MergeRow { why, ..MergeRow::of(MergeKind::Cell, MergeState::LeftOut, &cell.key, identity) });
                continue;
            }
            Stand::New { known } => {
                taken.entry(identity.clone()).or_insert(Taken { key: cell.key.clone(), known: *known, files: None });
                show(MergeRow::of(MergeKind::Cell, MergeState::New, &cell.key, identity));
            }
            Stand::Same => show(MergeRow::of(MergeKind::Cell, MergeState::Same, &cell.key, identity)),
        }
        agreeing.insert(cell.key.clone());
        if matches!(place, Place::Free) {
            bound.insert(cell.key.clone());
        }
    }
    Ok(DecidedSuite { theirs, ours: number, bound })
}

/// How a planned cell of theirs stands in the same suite here.
enum Place {
    /// Not bound yet, and it needs the same.
    Free,
    /// Bound to the same.
    Same,
    /// Not planned, planned in another way, noted or bound to another cell.
    Other,
}

fn place(
    ours: &Transaction<'_>,
    number: i64,
    needs: &BTreeMap<String, Vec<String>>,
    cell: &TheirPlanned,
) -> Result<Place, StoreError> {
    let found: Option<(String, Option<String>, Option<String>)> = ours
        .prepare_cached("SELECT stage, identity, note FROM plan_cell WHERE suite_id = ?1 AND key = ?2")?
        .query_row(params![number, cell.key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let same_needs = needs.get(&cell.key).map_or(&[][..], Vec::as_slice) == cell.dependencies.as_slice();
    Ok(match found {
        Some((stage, None, None)) if stage == cell.stage && same_needs => Place::Free,
        Some((_, identity, None)) if identity.is_some() && identity == cell.identity => Place::Same,
        _ => Place::Other,
    })
}

/// A release version stands for one file, so that another file of a release that is known here is a conflict and is not taken: it
/// would count as one that results here rest on, and its manifest as what they mean.
fn decide_plugins(ours: &Transaction<'_>, theirs: Vec<TheirPlugin>, decided: &mut Decided) -> Result<(), StoreError> {
    let mut digests = ours.prepare("SELECT digest FROM plugin WHERE name = ?1 AND version = ?2 ORDER BY used DESC")?;
    for plugin in theirs {
        let (name, version) = (&plugin.manifest.name, &plugin.manifest.version);
        let known: Vec<String> = digests.query_map([name, version], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let shown = |state| MergeRow::new(MergeKind::Plugin, state, format!("{name} {version}"));
        match known.first() {
            Some(_) if known.contains(&plugin.digest) => decided.rows.push(shown(MergeState::Same)),
            Some(ours) if !is_pre_release(version) => {
                let why = Some("one release version with two files".to_owned());
                decided.rows.push(MergeRow { why, ..shown(MergeState::Conflict).unlike(ours, &plugin.digest) });
            }
            _ => {
                decided.rows.push(shown(MergeState::New));
                decided.plugins.push(plugin);
            }
        }
    }
    Ok(())
}

/// Whether the digest of the file is part of the identity of cells: a `-` before any build metadata.
fn is_pre_release(version: &str) -> bool {
    version.split('+').next().is_some_and(|core| core.contains('-'))
}

fn decide_gate(
    ours: &Transaction<'_>,
    baselines: Vec<GateBaselineRow>,
    judgements: Vec<GateJudgementRow>,
    decided: &mut Decided,
) -> Result<(), StoreError> {
    for row in baselines {
        let known: Option<String> =
            ours.query_row("SELECT digest FROM gate_baseline WHERE name = ?1", [&row.name], |row| row.get(0)).optional()?;
        let shown = |state| MergeRow::new(MergeKind::GateBaseline, state, &row.name);
        match known {
            Some(digest) if digest == row.digest => decided.rows.push(shown(MergeState::Same)),
            Some(digest) => decided.rows.push(shown(MergeState::Conflict).unlike(digest, &row.digest)),
            None => {
                decided.rows.push(shown(MergeState::New));
                decided.gate_baselines.push(row);
            }
        }
    }
    for row in judgements {
        let known: bool = ours.query_row(
            "SELECT EXISTS (SELECT 1 FROM gate_judgement WHERE created = ?1 AND baseline = ?2 AND baseline_digest = ?3
               AND candidate = ?4 AND content_json = ?5)",
            params![row.created, row.baseline, row.baseline_digest, row.candidate, row.content_json],
            |row| row.get(0),
        )?;
        let state = if known { MergeState::Same } else { MergeState::New };
        decided.rows.push(MergeRow::new(MergeKind::GateJudgement, state, format!("{} against {}", row.candidate, row.baseline)));
        if !known {
            decided.gate_judgements.push(row);
        }
    }
    Ok(())
}

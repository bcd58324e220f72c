//! The walk over the graph: what is ready is bound, what is bound is skipped, adopted or computed.

mod lacking;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use clmbench_protocol::{CellOutput, CellReport, Failure, FailureKind, RunRequest};
use clmbench_store::{CellStatus, Store, StoreError};

use super::{
    Counts, Observer, RunError, RunEvent, RunOptions, RunSummary, SourceLookup, artifacts,
    remaining::{Remaining, Underway},
};
use crate::{
    executor::{Executor, Job, Update, killed_from_outside, process::keep_end},
    identity::identity,
    plan::{Bound, Finished, Input, Plan, past_cells},
};

/// How long to wait for news before looking at `cancel` again.
const WAIT: Duration = Duration::from_millis(100);
/// Bytes that are kept of the log of a cell that has ended: its end.
const KEPT_LOG: u64 = 1 << 20;
/// How long stopped jobs may take to say so.
const STOP: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Queued,
    Running,
    Done,
    Failed,
    Refused,
    NotApplicable,
    /// Not among the cells to compute.
    LeftOut,
}

/// A job that the executor has.
struct Running {
    index: usize,
    started: Instant,
    fraction: f64,
}

/// A cell whose definition is complete.
struct Known {
    identity: String,
    bound: Bound,
    /// Finished before, with damaged files.
    rebuild: bool,
}

pub(super) struct Walk<'r> {
    store: &'r mut Store,
    suite_id: i64,
    plan: &'r Plan,
    sources: &'r SourceLookup<'r>,
    executor: &'r mut dyn Executor,
    options: &'r RunOptions,
    observer: &'r mut dyn Observer,
    cancel: &'r AtomicBool,
    states: Vec<State>,
    dependants: Vec<Vec<usize>>,
    ready: BTreeSet<usize>,
    queue: BTreeSet<usize>,
    known: HashMap<usize, Known>,
    finished: Vec<Option<Finished>>,
    intact: Vec<Option<bool>>,
    /// Cells whose files a worker found damaged: their bytes are hashed before they are used again.
    suspects: HashSet<usize>,
    /// Cells that were tried again in this run.
    retried: HashSet<usize>,
    running: BTreeMap<u64, Running>,
    /// Cells of the plan that turned out to be the same as one that is queued or running.
    twins: HashMap<String, Vec<usize>>,
    failed_now: HashMap<String, Failure>,
    remaining: Remaining<'r>,
    /// Cells that apply and are to be computed.
    total: usize,
    next_ticket: u64,
    summary: RunSummary,
}

impl<'r> Walk<'r> {
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        store: &'r mut Store,
        suite_id: i64,
        plan: &'r Plan,
        sources: &'r SourceLookup<'r>,
        executor: &'r mut dyn Executor,
        options: &'r RunOptions,
        observer: &'r mut dyn Observer,
        cancel: &'r AtomicBool,
    ) -> Self {
        let count = plan.cells.len();
        let wanted = |index: usize| options.only.as_ref().is_none_or(|only| only.holds(index));
        let states: Vec<State> = (0..count).map(|index| if wanted(index) { State::Waiting } else { State::LeftOut }).collect();
        let total = (0..count).filter(|index| wanted(*index) && plan.cells[*index].not_applicable.is_none()).count();
        let mut dependants = vec![Vec::new(); count];
        for (index, cell) in plan.cells.iter().enumerate() {
            cell.needs.iter().for_each(|need| dependants[*need].push(index));
        }
        Self {
            // Estimates are a courtesy: without the past they start from nothing.
            remaining: Remaining::new(plan, options.only.as_ref(), past_cells(store).unwrap_or_default(), executor.slots()),
            store,
            suite_id,
            plan,
            sources,
            executor,
            options,
            observer,
            cancel,
            states,
            dependants,
            ready: BTreeSet::new(),
            queue: BTreeSet::new(),
            known: HashMap::new(),
            finished: vec![None; count],
            intact: vec![None; count],
            suspects: HashSet::new(),
            retried: HashSet::new(),
            running: BTreeMap::new(),
            twins: HashMap::new(),
            failed_now: HashMap::new(),
            total,
            next_ticket: 0,
            summary: RunSummary { suite_id, ..RunSummary::default() },
        }
    }

    pub fn run(mut self) -> Result<RunSummary, RunError> {
        let result = self.walk();
        if result.is_err() {
            self.executor.stop();
            self.drain()?;
        }
        match result {
            Err(RunError::Interrupted(_)) => Err(RunError::Interrupted(self.summary)),
            Err(error) => Err(error),
            Ok(()) => Ok(self.summary),
        }
    }

    fn walk(&mut self) -> Result<(), RunError> {
        for index in 0..self.plan.cells.len() {
            if let Some(reason) = &self.plan.cells[index].not_applicable {
                self.states[index] = State::NotApplicable;
                self.summary.not_applicable += 1;
                self.store.set_not_applicable(self.suite_id, &self.plan.cells[index].key, reason)?;
                self.tell(&RunEvent::NotApplicable { key: &self.plan.cells[index].key, reason });
            }
        }
        (0..self.plan.cells.len()).for_each(|index| self.consider(index));
        loop {
            while let Some(index) = self.ready.pop_first() {
                self.stop_if_cancelled()?;
                self.take(index)?;
            }
            while self.running.len() < self.executor.slots() && self.ready.is_empty() {
                let Some(index) = self.next_that_fits() else { break };
                self.queue.remove(&index);
                self.launch(index)?;
            }
            self.stop_if_cancelled()?;
            if !self.ready.is_empty() {
                continue;
            }
            if self.running.is_empty() {
                return Ok(());
            }
            if let Some(update) = self.executor.next(WAIT) {
                self.hear(update)?;
            }
        }
    }

    /// The first queued cell whose threads are free.
    fn next_that_fits(&self) -> Option<usize> {
        let threads = |index: usize| self.plan.cells[index].threads;
        let busy: u32 = self.running.values().map(|running| threads(running.index)).sum();
        let free = self.options.threads.filter(|_| busy > 0).map_or(u32::MAX, |most| most.saturating_sub(busy));
        self.queue.iter().copied().find(|index| threads(*index) <= free)
    }

    fn stop_if_cancelled(&self) -> Result<(), RunError> {
        if self.cancel.load(Ordering::SeqCst) { Err(RunError::Interrupted(RunSummary::default())) } else { Ok(()) }
    }

    /// Puts a waiting cell among the ready ones if all it needs is done.
    fn consider(&mut self, index: usize) {
        let done = |need: &usize| self.states[*need] == State::Done;
        if self.states[index] == State::Waiting && self.plan.cells[index].needs.iter().all(done) {
            self.ready.insert(index);
        }
    }

    /// Binds a ready cell, and skips, adopts or queues it.
    fn take(&mut self, index: usize) -> Result<(), RunError> {
        if self.known.get(&index).is_some_and(|known| known.rebuild) {
            return self.take_damaged(index);
        }
        let cell = &self.plan.cells[index];
        let finished = &self.finished;
        let bound = match self.plan.bind(index, &|need| finished.get(need)?.as_ref()) {
            Ok(bound) => bound,
            Err(refusal) => return self.refuse(index, &refusal.to_string()),
        };
        let identity = identity(&bound.spec)?;
        let report = self.store.bind(self.suite_id, &cell.key, &identity, &bound.spec)?;
        if let Some(report) = report {
            self.summary.skipped += 1;
            self.tell(&RunEvent::Skipped { key: &cell.key });
            self.known.insert(index, Known { identity: identity.clone(), bound, rebuild: false });
            return self.done(index, identity, report);
        }
        if let Some(twins) = self.twins.get_mut(&identity) {
            twins.push(index);
            return Ok(());
        }
        let now = self.failed_now.get(&identity).cloned();
        let before = if self.options.retry_failed { None } else { self.failed_before(&identity)? };
        if let Some((failure, earlier)) = now.map(|failure| (failure, false)).or(before.map(|failure| (failure, true))) {
            return match self.is_lacking(index, &failure) {
                true => self.refuse_lacking(index, &failure.message),
                false => self.failed(index, &failure, earlier),
            };
        }
        if let Some(report) = artifacts::adoptable(&self.store.artifact_dir(&identity), &bound.spec) {
            self.store.finish(&identity, &report)?;
            self.summary.adopted += 1;
            self.tell(&RunEvent::Adopted { key: &cell.key });
            self.known.insert(index, Known { identity: identity.clone(), bound, rebuild: false });
            return self.done(index, identity, report);
        }
        self.states[index] = State::Queued;
        self.twins.insert(identity.clone(), Vec::new());
        self.known.insert(index, Known { identity, bound, rebuild: false });
        self.queue.insert(index);
        Ok(())
    }

    /// Queues a finished cell with damaged files again, unless its twin has restored them.
    fn take_damaged(&mut self, index: usize) -> Result<(), RunError> {
        let Some(finished) = self.finished[index].clone() else { return Ok(()) };
        let place = self.store.artifact_dir(&finished.identity);
        if artifacts::check(&place, &finished.report.files, self.thoroughly(index)).is_err() {
            self.queue_rebuild(index, finished.identity);
            return Ok(());
        }
        if let Some(known) = self.known.get_mut(&index) {
            known.rebuild = false;
        }
        self.intact[index] = Some(true);
        self.states[index] = State::Done;
        self.done(index, finished.identity, finished.report)
    }

    fn queue_rebuild(&mut self, index: usize, identity: String) {
        if let Some(twins) = self.twins.get_mut(&identity) {
            self.states[index] = State::Waiting;
            twins.push(index);
            return;
        }
        self.states[index] = State::Queued;
        self.twins.insert(identity, Vec::new());
        self.queue.insert(index);
    }

    fn failed_before(&self, identity: &str) -> Result<Option<Failure>, RunError> {
        let row = self.store.find_cell(identity)?.row;
        if row.status != CellStatus::Failed {
            return Ok(None);
        }
        let word = row.failure_kind.unwrap_or_default();
        let kind = serde_json::from_value(word.into()).unwrap_or(FailureKind::Died);
        let failure = Failure::new(kind, row.reason.unwrap_or_default());
        Ok(Some(failure).filter(|failure| !killed_from_outside(failure)))
    }

    /// Hands a queued cell to the executor, unless something that it reads must be rebuilt first.
    fn launch(&mut self, index: usize) -> Result<(), RunError> {
        let Some(known) = self.known.get(&index) else { return Ok(()) };
        let (identity, spec, inputs) = (known.identity.clone(), known.bound.spec.clone(), known.bound.inputs.clone());
        let mut waits = false;
        for (_, input) in &inputs {
            if let Input::Folder { cell, .. } = input {
                waits |= !self.usable(*cell);
            }
        }
        if waits {
            self.states[index] = State::Waiting;
            self.release_twins(&identity);
            return Ok(());
        }
        let mut paths = BTreeMap::new();
        for (role, input) in inputs {
            let path = match input {
                Input::Source(file) => {
                    let found = self.plan.local_file(&file).unwrap_or_else(|| (self.sources)(&file));
                    found.map_err(|source| RunError::Source { name: file.name.clone(), source })?
                }
                Input::Folder { cell, inside } => {
                    let upstream = self.finished[cell].as_ref().map_or("", |finished| finished.identity.as_str());
                    let folder = self.store.artifact_dir(upstream);
                    inside.map_or(folder.clone(), |inside| folder.join(inside))
                }
            };
            paths.insert(role, absolute(&path)?.display().to_string());
        }
        let (work, log) = (absolute(&self.store.work_dir(&identity))?, absolute(&self.store.log_path(&identity))?);
        fs::create_dir_all(&work).map_err(|source| RunError::Io { path: work.clone(), source })?;
        prepare_log(&log)?;
        let rebuild = self.known.get(&index).is_some_and(|known| known.rebuild);
        if !rebuild {
            self.store.start(&identity)?;
        }
        let cell = &self.plan.cells[index];
        self.next_ticket += 1;
        let job = Job {
            ticket: self.next_ticket,
            request: RunRequest {
                identity,
                spec,
                plugins: cell.plugins.clone(),
                inputs: paths,
                work_dir: work.display().to_string(),
                log: log.display().to_string(),
                device: self.options.device.clone(),
            },
            limits: self.options.limits,
        };
        self.states[index] = State::Running;
        self.running.insert(self.next_ticket, Running { index, started: Instant::now(), fraction: 0.0 });
        if !rebuild {
            self.remaining.take_off(&self.plan.cells[index]);
        }
        self.executor.submit(job);
        self.tell(&RunEvent::Started { key: &cell.key });
        Ok(())
    }

    fn thoroughly(&self, index: usize) -> bool {
        self.options.verify || self.suspects.contains(&index)
    }

    /// Whether the files of a finished cell can be read. If not, the cell is queued to be computed again.
    fn usable(&mut self, index: usize) -> bool {
        if self.states[index] != State::Done {
            return false;
        }
        if let Some(intact) = self.intact[index] {
            return intact;
        }
        let Some(finished) = &self.finished[index] else { return false };
        let place = self.store.artifact_dir(&finished.identity);
        let verdict = artifacts::check(&place, &finished.report.files, self.thoroughly(index));
        self.intact[index] = Some(verdict.is_ok());
        let identity = finished.identity.clone();
        let Err(reason) = verdict else { return true };
        if let Some(known) = self.known.get_mut(&index) {
            known.rebuild = true;
        }
        self.queue_rebuild(index, identity);
        self.tell(&RunEvent::Rebuilding { key: &self.plan.cells[index].key, reason: &reason });
        false
    }

    fn hear(&mut self, update: Update) -> Result<(), RunError> {
        match update {
            Update::Progress { ticket, stage, done, total, unit, note } => {
                let Some(running) = self.running.get_mut(&ticket) else { return Ok(()) };
                if total > 0 {
                    running.fraction = (done as f64 / total as f64).min(1.0);
                }
                let key = &self.plan.cells[running.index].key;
                self.tell(&RunEvent::Progress { key, stage: &stage, done, total, unit: &unit, note: &note });
                Ok(())
            }
            Update::Ended { ticket, outcome } => {
                let Some(running) = self.running.remove(&ticket) else { return Ok(()) };
                if let Some(known) = self.known.get(&running.index) {
                    keep_end(&self.store.log_path(&known.identity), KEPT_LOG);
                }
                match outcome {
                    Ok(report) => self.computed(running.index, *report, running.started.elapsed()),
                    Err(failure) if self.tries_again(running.index, &failure) => Ok(()),
                    // What a metric needs and a checkpoint of others or a run lacks is known only once it is read: no fault of either.
                    Err(failure) if self.is_lacking(running.index, &failure) => self.lacking(running.index, &failure),
                    Err(failure) => self.record_failure(running.index, failure),
                }
            }
            Update::Stopped { ticket } => {
                self.running.remove(&ticket);
                Ok(())
            }
            Update::Broken { ticket, error } => {
                self.running.remove(&ticket);
                Err(error.into())
            }
        }
    }

    /// Queues a cell again, once in a run, whose failure is not its own: somebody else killed its worker, or a file that
    /// it reads is damaged, which is then checked byte for byte and computed again.
    fn tries_again(&mut self, index: usize, failure: &Failure) -> bool {
        let damaged = failure.kind == FailureKind::CorruptFile;
        let Some(known) = self.known.get(&index) else { return false };
        if !(damaged || killed_from_outside(failure)) || !self.retried.insert(index) {
            return false;
        }
        if damaged {
            for (_, input) in &known.bound.inputs {
                if let Input::Folder { cell, .. } = input {
                    self.intact[*cell] = None;
                    self.suspects.insert(*cell);
                }
            }
        }
        let cell = &self.plan.cells[index];
        if !known.rebuild {
            self.remaining.put_back(cell);
        }
        self.states[index] = State::Queued;
        self.queue.insert(index);
        self.tell(&RunEvent::Retrying { key: &cell.key, failure });
        true
    }

    /// A worker says that a cell is computed: its files are moved into place, then it is recorded.
    fn computed(&mut self, index: usize, report: CellReport, took: Duration) -> Result<(), RunError> {
        let Some(known) = self.known.get(&index) else { return Ok(()) };
        let (identity, rebuild) = (known.identity.clone(), known.rebuild);
        if !artifacts::fits(&known.bound.spec, &report.output) {
            let failure = Failure::new(FailureKind::Protocol, "The worker answered with the result of another kind of cell.");
            return self.record_failure(index, failure);
        }
        let (work, place) = (self.store.work_dir(&identity), self.store.artifact_dir(&identity));
        // Before the files are replaced: with another result the ones that are there stay, and these go.
        match self.store.compare(&identity, &report) {
            Err(error @ StoreError::Irreproducible { .. }) => {
                let removed = fs::remove_dir_all(&work);
                removed.map_err(|source| RunError::Io { path: work, source })?;
                return self.record_failure(index, Failure::new(FailureKind::CorruptFile, error.to_string()));
            }
            compared => compared?,
        }
        if let Err(reason) = artifacts::commit(&work, &place, &report) {
            return self.record_failure(index, Failure::new(FailureKind::Io, format!("The files of the cell: {reason}.")));
        }
        self.store.finish(&identity, &report)?;
        let cell = &self.plan.cells[index];
        self.remaining.learn(cell, &report);
        self.intact[index] = Some(true);
        if rebuild {
            self.summary.rebuilt += 1;
        } else {
            self.summary.computed += 1;
        }
        self.states[index] = State::Done;
        self.tell(&RunEvent::Finished { key: &cell.key, report: &report, took });
        self.done(index, identity, report)
    }

    fn done(&mut self, index: usize, identity: String, report: CellReport) -> Result<(), RunError> {
        if matches!(&report.output, CellOutput::Pretrain(output) if output.diverged) && self.finished[index].is_none() {
            self.summary.diverged += 1;
        }
        if self.states[index] != State::Done {
            self.states[index] = State::Done;
            self.remaining.take_off(&self.plan.cells[index]);
        }
        self.release_twins(&identity);
        self.finished[index] = Some(Finished { identity, report });
        for dependant in self.dependants[index].clone() {
            self.consider(dependant);
        }
        Ok(())
    }

    fn release_twins(&mut self, identity: &str) {
        self.ready.extend(self.twins.remove(identity).unwrap_or_default());
    }

    /// A cell failed now: recorded under its identity, then shown.
    fn record_failure(&mut self, index: usize, failure: Failure) -> Result<(), RunError> {
        let Some(known) = self.known.get(&index) else { return Ok(()) };
        let (identity, rebuild) = (known.identity.clone(), known.rebuild);
        if rebuild {
            // The recorded result stays; only its files are gone.
            self.summary.skipped = self.summary.skipped.saturating_sub(1);
        } else {
            self.store.fail(&identity, &failure)?;
        }
        self.failed_now.insert(identity.clone(), failure.clone());
        self.release_twins(&identity);
        self.failed(index, &failure, false)
    }

    fn failed(&mut self, index: usize, failure: &Failure, earlier: bool) -> Result<(), RunError> {
        let key = &self.plan.cells[index].key;
        if self.states[index] == State::Waiting {
            self.remaining.take_off(&self.plan.cells[index]);
        }
        self.states[index] = State::Failed;
        self.summary.failed += 1;
        self.summary.failures.push((key.clone(), failure.clone()));
        self.tell(&RunEvent::Failed { key, failure, earlier });
        self.refuse_dependants(index, &format!("needs `{key}`, which failed"))
    }

    fn refuse(&mut self, index: usize, reason: &str) -> Result<(), RunError> {
        let key = &self.plan.cells[index].key;
        if let Some(identity) = self.known.get(&index).map(|known| known.identity.clone()) {
            self.release_twins(&identity);
        }
        if self.known.get(&index).is_some_and(|known| known.rebuild) {
            // Its recorded result stays; only its files cannot be restored.
            self.summary.skipped = self.summary.skipped.saturating_sub(1);
        } else {
            self.store.set_refused(self.suite_id, key, reason)?;
            self.remaining.take_off(&self.plan.cells[index]);
        }
        self.states[index] = State::Refused;
        self.summary.refused += 1;
        self.tell(&RunEvent::Refused { key, reason });
        self.refuse_dependants(index, &format!("needs `{key}`, which was refused"))
    }

    fn refuse_dependants(&mut self, index: usize, reason: &str) -> Result<(), RunError> {
        for dependant in self.dependants[index].clone() {
            if matches!(self.states[dependant], State::Waiting | State::Queued) {
                self.queue.remove(&dependant);
                self.ready.remove(&dependant);
                self.refuse(dependant, reason)?;
            }
        }
        Ok(())
    }

    /// Waits for stopped jobs; results that came in time are kept.
    fn drain(&mut self) -> Result<(), RunError> {
        let deadline = Instant::now() + STOP;
        while !self.running.is_empty() && Instant::now() < deadline {
            match self.executor.next(WAIT) {
                // The first error is the one to report; a second broken worker adds nothing.
                Some(Update::Broken { ticket, .. }) => {
                    self.running.remove(&ticket);
                }
                Some(update) => self.hear(update)?,
                None => {}
            }
        }
        Ok(())
    }

    fn tell(&mut self, event: &RunEvent<'_>) {
        let summary = &self.summary;
        let total = self.total;
        let (done, failed, refused, running) = (summary.done(), summary.failed, summary.refused, self.running.len());
        let todo = total.saturating_sub(done + failed + refused + running);
        let counts = Counts { total, done, failed, refused, running, todo, seconds_left: self.seconds_left() };
        self.observer.event(event, &counts);
    }

    fn seconds_left(&self) -> Option<f64> {
        let underway = |running: &Running| {
            let cell = &self.plan.cells[running.index];
            Underway { cell, elapsed: running.started.elapsed().as_secs_f64(), fraction: running.fraction }
        };
        self.remaining.seconds(self.running.values().map(underway))
    }
}

/// Workers may run in another folder.
fn absolute(path: &Path) -> Result<std::path::PathBuf, RunError> {
    std::path::absolute(path).map_err(|source| RunError::Io { path: path.to_owned(), source })
}

/// An empty log for this attempt.
fn prepare_log(log: &Path) -> Result<(), RunError> {
    let made = log.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(log, b""));
    made.map_err(|source| RunError::Io { path: log.to_owned(), source })
}

//! Live progress on standard error: moving bars on a terminal, plain lines elsewhere.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use clmbench_runner::run::{Counts, Observer, RunEvent};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    console::{Console, one_line},
    units::{show_bytes, show_seconds},
};

/// Shortest time between two progress lines where there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// Longest label in a line.
const LABEL: usize = 60;
/// Longest reason in a line.
const REASON: usize = 300;
/// Running cells named in a plain progress line.
const NAMED: usize = 2;

/// How far one cell is.
#[derive(Debug, Clone, Default)]
struct Step {
    stage: String,
    done: u64,
    total: u64,
    unit: String,
    note: String,
}

impl Step {
    fn text(&self) -> String {
        let much = if self.total == 0 {
            format!("{} {}", amount(self.done, &self.unit), self.unit)
        } else {
            let share = (self.done as f64 / self.total as f64).clamp(0.0, 1.0) * 100.0;
            match self.unit.as_str() {
                "%" => format!("{share:.0} %"),
                unit => format!("{share:.0} % of {} {unit}", amount(self.total, unit)),
            }
        };
        let note = if self.note.is_empty() { String::new() } else { format!(", {}", self.note) };
        one_line(&format!("{} {}{note}", self.stage, much.trim_end()), LABEL + 20)
    }
}

fn amount(number: u64, unit: &str) -> String {
    match number {
        _ if unit == "bytes" => show_bytes(number),
        0..10_000 => number.to_string(),
        10_000..10_000_000 => format!("{}k", number / 1_000),
        _ => format!("{}M", number / 1_000_000),
    }
}

/// A running cell.
struct Running {
    started: Instant,
    step: Step,
    bar: Option<ProgressBar>,
}

/// Progress of all cells of a run.
pub struct Progress {
    console: Console,
    bars: Option<(MultiProgress, ProgressBar)>,
    running: BTreeMap<String, Running>,
    last_line: Instant,
}

impl Progress {
    /// Progress over this many cells.
    pub fn new(console: Console, cells: usize) -> Self {
        let bars = (console.live && !console.quiet && cells > 0).then(|| {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8));
            let total = all.add(ProgressBar::new(cells as u64));
            total.set_style(style("{bar:24} {pos}/{len} cells  {elapsed_precise}  {msg}"));
            total.enable_steady_tick(Duration::from_secs(1));
            (all, total)
        });
        Self { console, bars, running: BTreeMap::new(), last_line: Instant::now() }
    }

    fn start(&mut self, key: &str) {
        let bar = self.bars.as_ref().map(|(all, total)| {
            let bar = all.insert_before(total, ProgressBar::new(0));
            bar.set_style(style("  {prefix}  {msg}"));
            bar.set_prefix(one_line(key, LABEL));
            bar
        });
        self.running.insert(key.to_owned(), Running { started: Instant::now(), step: Step::default(), bar });
    }

    fn step(&mut self, key: &str, step: Step, counts: &Counts) {
        if let Some(running) = self.running.get_mut(key) {
            if let Some(bar) = &running.bar {
                bar.set_message(step.text());
            }
            running.step = step;
        }
        if self.bars.is_none() && !self.console.quiet && self.last_line.elapsed() >= PLAIN_EVERY {
            self.console.note(&self.plain_line(counts));
            self.last_line = Instant::now();
        }
    }

    /// Forgets a running cell and says how long it took.
    fn end(&mut self, key: &str) -> Option<Duration> {
        let running = self.running.remove(key)?;
        if let (Some((all, _)), Some(bar)) = (&self.bars, &running.bar) {
            bar.finish_and_clear();
            all.remove(bar);
        }
        Some(running.started.elapsed())
    }

    /// A line for a cell that ended well: only where there are no bars, which say it better.
    fn line(&self, word: &str, key: &str, more: &str, counts: &Counts) {
        if self.bars.is_none() {
            self.say(&ended(word, key, more, counts));
        }
    }

    /// A line of its own, above the bars if there are any.
    fn say(&self, line: &str) {
        match &self.bars {
            Some((all, _)) => {
                let _ = all.println(line);
            }
            None => self.console.note(line),
        }
    }

    fn total(&self, counts: &Counts) {
        if let Some((_, total)) = &self.bars {
            total.set_length(counts.total as u64);
            total.set_position((counts.done + counts.failed + counts.refused) as u64);
            total.set_message(left(counts));
        }
    }

    /// Takes the bars away.
    pub fn close(&mut self) {
        if let Some((all, total)) = self.bars.take() {
            total.finish_and_clear();
            let _ = all.clear();
        }
    }

    fn plain_line(&self, counts: &Counts) -> String {
        let named = self.running.iter().take(NAMED);
        let running: Vec<String> =
            named.map(|(key, running)| format!("{}: {}", one_line(key, LABEL), running.step.text())).collect();
        let left = left(counts);
        let left = if left.is_empty() { left } else { format!("; {left}") };
        format!("... {}{left}", running.join("; "))
    }
}

impl Observer for Progress {
    fn event(&mut self, event: &RunEvent<'_>, counts: &Counts) {
        match *event {
            RunEvent::Started { key } => self.start(key),
            RunEvent::Progress { key, stage, done, total, unit, note } => {
                let step = Step { stage: stage.into(), done, total, unit: unit.into(), note: note.into() };
                self.step(key, step, counts);
            }
            RunEvent::Finished { key, took, .. } => {
                self.end(key);
                self.line("done", key, &show_seconds(took.as_secs_f64()), counts);
            }
            RunEvent::Adopted { key } => {
                self.end(key);
                self.line("done", key, "was complete on disk", counts);
            }
            RunEvent::Rebuilding { key, reason } => self.say(&format!("again    {key}  {}", one_line(reason, REASON))),
            RunEvent::Retrying { key, failure } => {
                self.end(key);
                self.say(&format!("again    {key}  {}", one_line(&failure.message, REASON)));
            }
            RunEvent::Failed { key, failure, earlier } => {
                self.end(key);
                let when = if earlier { "earlier, not tried again: " } else { "" };
                let more = format!("{when}{}: {}", failure.kind.word(), failure.message);
                self.say(&ended("failed", key, &more, counts));
            }
            // What is refused follows from a failure that has its own line; the summary counts it.
            RunEvent::Refused { .. } | RunEvent::Skipped { .. } | RunEvent::NotApplicable { .. } => {}
        }
        self.total(counts);
    }
}

/// `[ 3/96] done     pretrain/...  12.3 s`.
fn ended(word: &str, key: &str, more: &str, counts: &Counts) -> String {
    let width = counts.total.to_string().len();
    let place = counts.done + counts.failed + counts.refused;
    format!("[{place:>width$}/{}] {word:<8} {}  {}", counts.total, one_line(key, 120), one_line(more, REASON))
}

fn left(counts: &Counts) -> String {
    counts.seconds_left.map(|seconds| format!("about {} left", show_seconds(seconds))).unwrap_or_default()
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}

/// Progress of downloads.
pub struct FetchProgress {
    console: Console,
    bar: Option<ProgressBar>,
    said: Option<(String, &'static str)>,
    last_line: Instant,
}

impl FetchProgress {
    /// Says nothing until something has to be fetched.
    pub fn new(console: Console) -> Self {
        let bar = (console.live && !console.quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
            bar.set_style(style("{msg}"));
            bar
        });
        Self { console, bar, said: None, last_line: Instant::now() }
    }

    /// Shows a step.
    pub fn step(&mut self, step: &clmbench_fetch::Progress) {
        let word = step.phase.word();
        let of = if step.total > 0 { format!(" of {}", show_bytes(step.total)) } else { String::new() };
        let line = format!("{word} {}  {}{of}", one_line(&step.name, LABEL), show_bytes(step.done));
        match &self.bar {
            Some(bar) => bar.set_message(line),
            None => {
                let now = (step.name.clone(), word);
                let fresh = self.said.as_ref() != Some(&now);
                if fresh || self.last_line.elapsed() >= PLAIN_EVERY {
                    self.console.note(&line);
                    self.said = Some(now);
                    self.last_line = Instant::now();
                }
            }
        }
    }

    /// Takes the bar away.
    pub fn close(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_reads_well() {
        let step =
            Step { stage: "pretrain".into(), done: 300_000, total: 600_000, unit: "tokens".into(), note: "loss 1.23".into() };
        assert_eq!(step.text(), "pretrain 50 % of 600k tokens, loss 1.23");
        let share = Step { stage: "measure".into(), done: 61, total: 100, unit: "%".into(), note: "loss/mlm_loss".into() };
        assert_eq!(share.text(), "measure 61 %, loss/mlm_loss");
        let step = Step { total: 0, note: String::new(), ..step };
        assert_eq!(step.text(), "pretrain 300k tokens");
    }

    #[test]
    fn an_ended_cell_reads_well() {
        let counts = Counts { total: 96, done: 3, seconds_left: Some(125.0), ..Counts::default() };
        assert_eq!(ended("done", "pretrain/a", "1.0 s", &counts), "[ 3/96] done     pretrain/a  1.0 s");
        assert_eq!(left(&counts), "about 2 min 05 s left");
    }
}

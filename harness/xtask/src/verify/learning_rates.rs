//! The search behind the presets' learning rates.

use std::fs;

use super::{SearchArguments, cells, heldout_loss};
use crate::{
    bench::{Bench, Cell, environment, markdown},
    error::XtaskError,
};

/// Peak rates tried for every size.
const RATES: [f64; 6] = [2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3];
/// Real tokens of every trial.
const TOKENS: u64 = 1_000_000;
/// Molecules a step.
const BATCH: u32 = 32;
/// Sizes: name, layers, width.
const SIZES: [(&str, u32, u32); 5] =
    [("(1, 64)", 1, 64), ("(2, 64)", 2, 64), ("(2, 128)", 2, 128), ("(4, 128)", 4, 128), ("(5, 192)", 5, 192)];

/// Losses of one size by rate; none where the run diverged or failed.
struct Row {
    name: &'static str,
    losses: Vec<Option<(f64, f64)>>,
    carried: Option<f64>,
}

impl Row {
    /// Index of the smallest loss.
    fn best(&self) -> Option<usize> {
        let there = self.losses.iter().enumerate().filter_map(|(index, loss)| Some((index, loss.as_ref()?.0)));
        there.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index)
    }

    /// Whether the carried rate is as good as the best one: its loss within two standard errors of a difference between trials with the
    /// same masks and molecules, for which the error of one loss is an upper bound.
    fn holds(&self) -> Option<bool> {
        let carried = self.carried?;
        let at = RATES.iter().position(|rate| (rate / carried - 1.0).abs() < 1e-6)?;
        let (loss, _) = self.losses[at]?;
        let (best, error) = self.losses[self.best()?]?;
        Some(loss <= best + 2.0 * error)
    }
}

pub fn run(arguments: &SearchArguments) -> Result<(), XtaskError> {
    let name = format!("verify-lr-{}", arguments.architecture);
    let bench = Bench::new(&name, arguments.common.resume)?;
    bench.run("search", &suite(&arguments.architecture), None)?;
    let found = cells(&bench, "search")?;
    let carried = carried(&bench, &arguments.architecture)?;
    let rows: Vec<Row> = SIZES
        .iter()
        .map(|(name, layers, width)| Row {
            name,
            losses: RATES.iter().map(|rate| trial(&found, *layers, *width, *rate)).collect(),
            carried: carried.iter().find(|preset| (preset.0, preset.1) == (*layers, *width)).map(|preset| preset.2),
        })
        .collect();
    let text = report(&rows, arguments, &bench);
    println!("\n{text}");
    if arguments.common.write {
        let path = bench.checkout.join(format!("benchmarks/LEARNING_RATES-{}.md", arguments.architecture));
        fs::write(&path, text).map_err(XtaskError::io("write", &path))?;
        println!("xtask: written to {}", path.display());
    }
    let broken: Vec<&str> =
        rows.iter().filter(|row| row.carried.is_some() && row.holds() != Some(true)).map(|row| row.name).collect();
    if rows.iter().all(|row| row.carried.is_none()) {
        return Err(XtaskError::Check(format!(
            "no preset of {} has the geometry of a size of the table",
            arguments.architecture
        )));
    }
    if broken.is_empty() {
        return Ok(());
    }
    Err(XtaskError::Check(format!(
        "the preset rate is not among the best for {}; set it to the best of the table",
        broken.join(", ")
    )))
}

fn suite(architecture: &str) -> String {
    let metric = if architecture == "gpt" { "loss/clm_loss" } else { "loss/mlm_loss" };
    let mut text =
        "schema = 1\n[suite]\nname = \"learning-rates\"\nseed = 11\n[[corpus]]\nname = \"mixed\"\nsizes = [20_000]\n".to_owned();
    // Long runs first, so that the cores end together.
    for (_, layers, width) in SIZES.iter().rev() {
        for rate in RATES {
            text += &format!(
                "[[model]]\narchitecture = \"{architecture}\"\noverrides = [{{ layers = {layers}, width = {width} }}]\n\
                 tokens = {TOKENS}\nbatch = {BATCH}\nlr = {rate:e}\n"
            );
        }
    }
    text + &format!("[[metric]]\nid = \"{metric}\"\n")
}

/// Held-out loss of the trial of this size and rate.
fn trial(cells: &[Cell], layers: u32, width: u32, rate: f64) -> Option<(f64, f64)> {
    let pretrain = cells.iter().find(|cell| {
        let near = |text: String| text.parse::<f64>().is_ok_and(|found| (found / rate - 1.0).abs() < 1e-6);
        cell.stage == "pretrain"
            && cell.status == "done"
            && cell.defined("/config/layers") == layers.to_string()
            && cell.defined("/config/width") == width.to_string()
            && near(cell.defined("/learning_rate"))
    })?;
    heldout_loss(cells, pretrain)
}

/// Layers, width and rate of each preset of an architecture.
fn carried(bench: &Bench, architecture: &str) -> Result<Vec<(u32, u32, f64)>, XtaskError> {
    let rows = bench.plugins()?;
    let presets = rows.iter().filter(|row| row.pointer("/name").and_then(|name| name.as_str()) == Some(architecture));
    let presets = presets.filter_map(|row| row.pointer("/presets")?.as_array()).flatten();
    let number = |preset: &serde_json::Value, key: &str| u32::try_from(preset.pointer(key)?.as_u64()?).ok();
    Ok(presets
        .filter_map(|preset| {
            let rate = preset.pointer("/learning_rate")?.as_f64()?;
            Some((number(preset, "/config/layers")?, number(preset, "/config/width")?, rate))
        })
        .collect())
}

fn report(rows: &[Row], arguments: &SearchArguments, bench: &Bench) -> String {
    let architecture = &arguments.architecture;
    let resumed = if arguments.common.resume { (" --resume", " (trials of an earlier build among them)") } else { ("", "") };
    let mut header = vec!["size".to_owned()];
    header.extend(RATES.iter().map(|rate| format!("{rate:e}")));
    header.extend(["best", "preset carries"].map(str::to_owned));
    let table: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let best = row.best();
            let mut cells = vec![row.name.to_owned()];
            cells
                .extend(row.losses.iter().map(|loss| loss.map_or("–".into(), |(loss, error)| format!("{loss:.3} ± {error:.3}"))));
            let edge = best.is_some_and(|best| best == 0 || best + 1 == RATES.len());
            cells.push(best.map_or("–".into(), |best| format!("{:e}{}", RATES[best], if edge { " (edge)" } else { "" })));
            cells.push(row.carried.map_or("–".into(), |rate| format!("{rate:e}")));
            cells
        })
        .collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    format!(
        "# Learning rates of `{architecture}`\n\nHeld-out loss (nats a predicted token, ± standard error over molecules and masks) after {TOKENS} real tokens of `mixed` (20,000 molecules),\n\
         {BATCH} molecules a step, constant rate with cool-down, one seed, by peak rate. Masks and molecules are the same in every cell, so differences are\n\
         much surer than the errors say. `–`: diverged. Presets that are not in the table carry extrapolated rates and say so.\n\n\
         Made by `cargo xtask verify lr --architecture {architecture}{} --write` on {}{}.\n\n{}",
        resumed.0,
        environment(&bench.checkout),
        resumed.1,
        markdown(&header, &table)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(losses: [f64; 6], carried: f64) -> Row {
        Row { name: "x", losses: losses.iter().map(|loss| Some((*loss, 0.01))).collect(), carried: Some(carried) }
    }

    #[test]
    fn the_carried_rate_must_be_among_the_best() {
        let losses = [2.0, 1.5, 1.2, 1.21, 1.9, 3.0];
        assert_eq!(row(losses, 1e-3).best(), Some(2));
        assert_eq!(row(losses, 1e-3).holds(), Some(true));
        assert_eq!(row(losses, 2e-3).holds(), Some(true));
        assert_eq!(row(losses, 4e-3).holds(), Some(false));
        assert_eq!(row(losses, 3e-3).holds(), None);
    }

    #[test]
    fn the_suite_names_every_trial_once() {
        let text = suite("bert");
        assert_eq!(text.matches("[[model]]").count(), SIZES.len() * RATES.len());
        assert!(toml::from_str::<toml::Table>(&text).is_ok(), "{text}");
    }
}

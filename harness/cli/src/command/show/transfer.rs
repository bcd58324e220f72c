//! The result of a transfer cell: task by task, then what fine-tuning tried.

use clmbench_protocol::{FinetuneRecord, FinetuneTrial, ScoreValue, TaskTransfer, TransferOutput};

use super::Page;
use crate::units::with_error;

/// Writes the result of a transfer cell.
pub(super) fn transfer(page: &mut Page, of: &TransferOutput) {
    for (index, task) in of.tasks.iter().enumerate() {
        task_lines(page, if index == 0 { "result" } else { "" }, task);
    }
    if let Some(record) = &of.finetune {
        finetune(page, record);
    }
}

fn task_lines(page: &mut Page, name: &str, of: &TaskTransfer) {
    let (train, validation, test) = of.counts;
    page.line(name, &format!("task {}: train {train}, validation {validation}, test {test} molecules", of.task));
    if let Some(reason) = &of.refused {
        page.line("", &format!("  no score: {reason}"));
        return;
    }
    for score in &of.scores {
        page.line("", &format!("  {}", score_value(score)));
    }
    for (score, reason) in &of.absent {
        page.line("", &format!("  no {score}: {reason}"));
    }
    if let Some(strength) = of.strength {
        page.line("", &format!("  L2 strength {} (chosen on validation of {})", strength.0, of.validation.len()));
    }
}

fn score_value(score: &ScoreValue) -> String {
    let better = if score.higher_is_better { "higher is better" } else { "lower is better" };
    let primary = if score.primary { ", primary" } else { "" };
    let value = with_error(score.value, score.se_test);
    format!(
        "{} {value} over test molecules ({better}{primary}); a constant prediction gives {:.4}",
        score.name, score.mean_predictor.0
    )
}

fn finetune(page: &mut Page, of: &FinetuneRecord) {
    page.line(
        "fine-tuning",
        &format!(
            "learning rate {:.1e} kept of {} tried, epoch {}; weights moved by {:.2} % of their norm ({})",
            of.learning_rate.0,
            of.tried.len(),
            of.epoch,
            100.0 * of.relative_displacement.0,
            of.weights_file
        ),
    );
    for trial in &of.tried {
        page.line("", &format!("  {:.1e}: {}", trial.learning_rate.0, trial_text(trial)));
    }
}

/// `best validation loss 0.5000 at epoch 2 of 7`.
fn trial_text(trial: &FinetuneTrial) -> String {
    let finite = trial.validation.iter().enumerate().filter(|(_, loss)| loss.0.is_finite());
    let best = finite.min_by(|left, right| left.1.0.total_cmp(&right.1.0));
    let best = best.map_or_else(
        || "no finite validation loss".to_owned(),
        |(index, loss)| format!("best validation loss {:.4} at epoch {} of {}", loss.0, index + 1, trial.validation.len()),
    );
    if trial.diverged { format!("DIVERGED; {best}") } else { best }
}

#[cfg(test)]
mod tests {
    use clmbench_protocol::{Number, TaskKind};

    use super::*;

    fn task(name: &str, refused: Option<&str>) -> TaskTransfer {
        let score = ScoreValue {
            name: "roc_auc".into(),
            value: Number(0.75),
            higher_is_better: true,
            primary: true,
            se_test: Number(0.05),
            se_seed: None,
            mean_predictor: Number(0.5),
        };
        TaskTransfer {
            task: name.into(),
            task_kind: TaskKind::Classification,
            counts: (80, 10, 11),
            refused: refused.map(Into::into),
            strength: None,
            validation: vec![],
            scores: if refused.is_some() { vec![] } else { vec![score] },
            absent: Vec::new(),
            predictions: vec![],
        }
    }

    #[test]
    fn refused_tasks_and_tried_rates_are_shown() {
        let trial = |rate: f64, validation: &[f64], diverged| FinetuneTrial {
            learning_rate: Number(rate),
            validation: validation.iter().copied().map(Number).collect(),
            training: vec![],
            diverged,
        };
        let output = TransferOutput {
            tasks: vec![task("nr-ar", None), task("sr-p53", Some("the test part holds one class only"))],
            finetune: Some(FinetuneRecord {
                tried: vec![trial(1e-4, &[0.6, 0.5, 0.55], false), trial(1e-3, &[f64::NAN], true)],
                learning_rate: Number(1e-4),
                epoch: 2,
                weights_file: "end.safetensors".into(),
                relative_displacement: Number(0.0125),
            }),
        };
        let mut page = Page::default();
        transfer(&mut page, &output);
        let expected = "result        task nr-ar: train 80, validation 10, test 11 molecules
                roc_auc 0.750 ± 0.050 over test molecules (higher is better, primary); a constant prediction gives 0.5000
              task sr-p53: train 80, validation 10, test 11 molecules
                no score: the test part holds one class only
fine-tuning   learning rate 1.0e-4 kept of 2 tried, epoch 2; weights moved by 1.25 % of their norm (end.safetensors)
                1.0e-4: best validation loss 0.5000 at epoch 2 of 3
                1.0e-3: DIVERGED; no finite validation loss
";
        assert_eq!(page.text, expected);
    }
}

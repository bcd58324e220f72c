//! Checks of a metric: on the bundled checkpoints, on broken ones, with every parameter at its ends. What a metric of a task, a run,
//! a pair or fine-tuned weights reads beside a checkpoint is made up ([`crate::sample::beyond`]).

use clmbench_protocol::{
    CostClass, ErrorKind, Failure, FailureKind, MeasureOutput, MetricInfo, MetricValue, Objective, TaskKind,
};
use serde_json::{Map, Value};
use tch::Tensor;

use super::{Checks, broken, defaults, described, ends};
use crate::{
    failure::{OrFail, Result},
    loader::Plugin,
    measure,
    model::Model,
    probe::{ProbeHost, Read},
    report::Reporter,
    sample::{
        Sample,
        beyond::{self, Labelling},
    },
};

/// Largest relative difference between batch sizes.
const BATCH_TOLERANCE: f64 = 1e-5;
/// Losses are float32: below this a difference of losses (nats) is rounding, whatever the size of the value.
const ROUNDING: f64 = 3e-6;
/// Gradient-equivalents below which a sum of costs differs by rounding; any pass costs more.
const FREE: f64 = 1e-9;

/// All checks of one metric.
pub fn check(checks: &mut Checks<'_>, plugin: &Plugin, info: &MetricInfo, sample: &Sample) {
    let id = &info.id;
    checks.make(&format!("metric {id}: id is family/name"), || named(id), |()| id.clone());
    let texts = [("doc", info.doc.as_str()), ("citation", &info.citation), ("unit", &info.unit), ("primary", &info.primary)];
    checks.make(&format!("metric {id}: says what it is"), || described(&texts), |()| "doc, citation, unit, primary value".into());
    let Some(params) =
        checks.make(&format!("metric {id}: parameters"), || defaults(&info.parameters), |map| format!("{} declared", map.len()))
    else {
        return;
    };
    let applies = |objective: &Objective| info.objectives.is_empty() || info.objectives.contains(objective);
    for (index, objective) in [Objective::MaskedLm, Objective::CausalLm].into_iter().filter(applies).enumerate() {
        // Every kind of task on one model, one of them on the other.
        for (place, kind) in beyond::kinds(info).into_iter().enumerate().filter(|(place, _)| index == 0 || *place == 0) {
            let bench = Bench { plugin, info, sample, objective, kind };
            bench.check(checks, &params);
            if index == 0 && place == 0 {
                bench.parameters(checks, &params);
            }
        }
    }
}

fn named(id: &str) -> Result<()> {
    match id.split_once('/') {
        Some((family, name)) if !family.is_empty() && !name.is_empty() && !name.contains('/') => Ok(()),
        _ => broken(format!("id `{id}` is not of the form family/name")),
    }
}

struct Bench<'a> {
    plugin: &'a Plugin,
    info: &'a MetricInfo,
    sample: &'a Sample,
    objective: Objective,
    /// Of the made-up task, for label-aware metrics.
    kind: Option<TaskKind>,
}

/// What a measurement gave, and what it looked at.
struct Seen {
    output: MeasureOutput,
    read: Vec<Read>,
}

impl Bench<'_> {
    fn name(&self, what: &str) -> String {
        let word = match self.objective {
            Objective::MaskedLm => "masked",
            Objective::CausalLm => "causal",
        };
        let task = self.kind.map(|kind| format!(", {} task", beyond::word(kind))).unwrap_or_default();
        format!("metric {} on a {word} model{task}: {what}", self.info.id)
    }

    /// Measures once on these molecules; `tokens` limits the batches.
    fn measure(
        &self,
        sample: &Sample,
        model: &Model,
        params: &Map<String, Value>,
        tokens: Option<usize>,
    ) -> Result<MeasureOutput> {
        let seen = self.seen(sample, model, params, |probe| match tokens {
            Some(tokens) => probe.with_batches(tokens),
            None => probe,
        });
        seen.map(|seen| seen.output)
    }

    /// Measures once with the probe changed like this.
    fn seen(
        &self,
        sample: &Sample,
        model: &Model,
        params: &Map<String, Value>,
        changed: impl for<'a> FnOnce(ProbeHost<'a>) -> ProbeHost<'a>,
    ) -> Result<Seen> {
        let reporter = Reporter::silent();
        let probe = changed(sample.probe_for(self.info, self.kind, model, (self.objective, true), &reporter)?);
        let params = Value::Object(params.clone()).to_string();
        let (output, _) = measure::call(self.plugin.module, self.info, &params, model, &probe)?;
        let all = [Read::Weights, Read::Embeddings, Read::Labels, Read::History, Read::Others].into_iter();
        Ok(Seen { output, read: all.filter(|what| probe.has_read(*what)).collect() })
    }

    fn check(&self, checks: &mut Checks<'_>, params: &Map<String, Value>) {
        let model = match self.sample.trained(self.objective) {
            Ok(model) => model,
            Err(failure) => return checks.done(&self.name("bundled checkpoint"), Some(false), failure.message),
        };
        let once = |sample: &Sample, tokens| self.measure(sample, &model, params, tokens);
        let measured = checks.make(
            &self.name("measures, weights untouched"),
            || self.seen(self.sample, &model, params, |probe| probe),
            |seen| shown(primary(&seen.output)),
        );
        let Some(Seen { output: first, read }) = measured else { return };
        checks.make(&self.name("errors"), || self.errors(&first, &read), |words| words.clone());
        checks.make(&self.name("cost"), || self.cost(&first), |words| words.clone());
        checks.make(
            &self.name("the same twice"),
            || {
                let second = once(self.sample, None)?;
                match differing(&first, &second, |a, b| a.to_bits() == b.to_bits()) {
                    None => Ok(()),
                    Some(what) => broken(format!(
                        "the same checkpoint gave other values the second time ({what}); draw random numbers from probe.rng() only"
                    )),
                }
            },
            |()| "bit for bit".into(),
        );
        checks.make(&self.name("batch size"), || self.batches(&first, &once(self.sample, Some(1))?), |words| words.clone());
        checks.make(
            &self.name("order of molecules"),
            || self.order(&first, &once(&self.sample.reversed()?, None)?),
            |words| words.clone(),
        );
        for (what, factor) in [("a loss that is NaN", f64::NAN), ("weights 1,000 times too large", 1e3)] {
            checks.make(
                &self.name(what),
                || {
                    let poisoned = self.sample.trained(self.objective)?;
                    scale(&poisoned, factor)?;
                    self.contained(factor, self.seen(self.sample, &poisoned, params, |probe| probe))
                },
                |words| words.clone(),
            );
        }
        if read.contains(&Read::Labels) {
            self.labels(checks, &model, params);
        }
        if read.contains(&Read::History) {
            let lost = || self.seen(self.sample, &model, params, |probe| probe.with_history(vec![f64::NAN; 400]));
            let judged = || match lost() {
                Ok(seen) => broken(format!("every training loss is NaN, and it says {}", shown(primary(&seen.output)))),
                Err(failure) => typed(failure),
            };
            checks.make(&self.name("a history of NaN"), judged, |words| words.clone());
        }
    }

    /// Labels that nothing can be learnt from: a typed refusal or a finite value, never a NaN.
    fn labels(&self, checks: &mut Checks<'_>, model: &Model, params: &Map<String, Value>) {
        let classes = self.kind == Some(TaskKind::Classification);
        let constant = if classes { "labels of one class" } else { "constant labels" };
        let lone = classes.then_some(("a class with one molecule", Labelling::Lone));
        for (what, labelling) in [(constant, Labelling::Constant)].into_iter().chain(lone) {
            let judged = || {
                let task = self.sample.task(self.kind.unwrap_or(TaskKind::Regression), labelling)?;
                match self.seen(self.sample, model, params, |probe| probe.with_task(task)) {
                    Ok(seen) => Ok(shown(primary(&seen.output))),
                    Err(failure) if failure.message.ends_with(measure::NOT_FINITE) => broken(format!(
                        "{}; return PluginError::Input with a sentence that says what is wrong with the labels",
                        failure.message
                    )),
                    Err(failure) => typed(failure),
                }
            };
            checks.make(&self.name(what), judged, |words| words.clone());
        }
    }

    /// Every value with an error, or free of the sample and so exact.
    fn errors(&self, output: &MeasureOutput, read: &[Read]) -> Result<String> {
        let value = primary(output);
        let estimated = read.contains(&Read::Labels) || read.contains(&Read::Embeddings);
        if self.info.cost == CostClass::Free && !estimated && value.is_some_and(|value| value.error_kind == ErrorKind::Exact) {
            return Ok("declared free, so exact: it is read, not estimated".into());
        }
        let Some(value) = value else { return Ok(String::new()) };
        if value.error_kind == ErrorKind::Exact {
            return broken(format!(
                "the primary value `{}` has no error; return se_sample (jackknife over molecules: statistics::mean_with_error, \
                 statistics::ratio_with_jackknife) and, where masks or random probes are drawn, se_estimator \
                 (statistics::error_of_draws), or residual_bound; a value that no molecule goes into is CostClass::Free",
                value.name
            ));
        }
        let part = |name: &str, part: Option<clmbench_protocol::Number>| part.map(|part| format!("{name} {:.2e}", part.0));
        let parts: Vec<String> =
            [part("se_estimator", value.se_estimator), part("se_sample", value.se_sample)].into_iter().flatten().collect();
        if let Some(negative) = [value.se_estimator, value.se_sample].into_iter().flatten().find(|part| part.0 < 0.0) {
            return broken(format!("a standard error of {} is negative", negative.0));
        }
        Ok(if parts.is_empty() { format!("residual bound {:.2e}", value.std_error.0) } else { parts.join(", ") })
    }

    /// What it spends, within its class and the budget.
    fn cost(&self, output: &MeasureOutput) -> Result<String> {
        let spent = output.gradient_equivalents.0;
        let budget = clmbench_protocol::Budget::Quick.gradient_equivalents();
        let (most, class) = match self.info.cost {
            CostClass::Free => (0.0, "free"),
            CostClass::Cheap => (10.0 / 3.0, "cheap"),
            CostClass::Moderate => (100.0, "moderate"),
            CostClass::Expensive => (f64::INFINITY, "expensive"),
        };
        if spent > most + FREE {
            return broken(format!(
                "it spent {spent:.2} gradient-equivalents, but says it is {class} (at most {most:.1}); declare its cost class"
            ));
        }
        // The last draw may go beyond the budget.
        if spent > 1.5 * budget {
            return broken(format!(
                "it spent {spent:.1} gradient-equivalents of a budget of {budget}; stop when probe.spent() reaches probe.budget() \
                 (estimation::Stopping does)"
            ));
        }
        Ok(format!("{spent:.2} gradient-equivalents of {budget}, {class}; stopped by {}", output.stopped))
    }

    /// Every value within 1e-5 relative, or within a hundredth of its own error, or within the rounding of float32 losses.
    fn batches(&self, whole: &MeasureOutput, single: &MeasureOutput) -> Result<String> {
        let mut worst = 0.0_f64;
        for (a, b) in whole.values.iter().zip(&single.values).filter(|(a, _)| a.primary) {
            let difference = (a.value.0 - b.value.0).abs();
            let allowed = (BATCH_TOLERANCE * a.value.0.abs()).max(0.01 * a.std_error.0).max(ROUNDING);
            if difference > allowed || difference.is_nan() {
                return broken(format!(
                    "`{}` is {:.9} in large batches and {:.9} one molecule at a time; rounding must not decide (no thresholds or bits \
                     of a loss)",
                    a.name, a.value.0, b.value.0
                ));
            }
            worst = worst.max(difference / a.value.0.abs().max(f64::MIN_POSITIVE));
        }
        Ok(format!("one molecule at a time: within {worst:.0e}"))
    }

    /// The same molecules in another order: the primary value within four standard errors.
    fn order(&self, there: &MeasureOutput, back: &MeasureOutput) -> Result<String> {
        let (Some(a), Some(b)) = (primary(there), primary(back)) else { return Ok(String::new()) };
        let difference = (a.value.0 - b.value.0).abs();
        let error = a.std_error.0.hypot(b.std_error.0);
        if difference > (4.0 * error).max(BATCH_TOLERANCE * a.value.0.abs()).max(ROUNDING) || difference.is_nan() {
            return broken(format!(
                "`{}` is {:.6} +- {:.1e}, and {:.6} for the same molecules in the opposite order: they are in random order, so their \
                 numbers mean nothing",
                a.name, a.value.0, a.std_error.0, b.value.0
            ));
        }
        Ok(if difference <= BATCH_TOLERANCE * a.value.0.abs() {
            "no difference".into()
        } else {
            format!("differs by {:.1} of its standard errors", difference / error)
        })
    }

    /// An error or a mark, never a finite lie.
    fn contained(&self, factor: f64, measured: Result<Seen>) -> Result<String> {
        let depends = |seen: &Seen| {
            let has = |what| seen.read.contains(&what);
            // Other weights are not the broken ones, and a metric may be made of them alone.
            let read = has(Read::Embeddings) || has(Read::Weights) && !has(Read::Others);
            read || seen.output.gradient_equivalents.0 > FREE
        };
        match measured {
            Ok(seen) if factor.is_nan() && depends(&seen) => broken(format!(
                "every weight, and so every loss and embedding, is NaN, and it says {}; return PluginError::NonFinite, or let the NaN \
                 through",
                shown(primary(&seen.output))
            )),
            Ok(seen) if factor.is_nan() => Ok(format!("it asks for no loss: {}", shown(primary(&seen.output)))),
            Ok(seen) => Ok(shown(primary(&seen.output))),
            Err(failure) => match failure.kind {
                FailureKind::Panic | FailureKind::WeightsChanged => Err(failure),
                _ => Ok(format!("refused: {}", failure.message)),
            },
        }
    }

    /// Each parameter at its ends or choices, the others at their defaults: a value, or a typed refusal.
    fn parameters(&self, checks: &mut Checks<'_>, params: &Map<String, Value>) {
        for parameter in &self.info.parameters {
            let name = format!("metric {}: parameter {}", self.info.id, parameter.name);
            let ends = ends(parameter);
            if ends.is_empty() {
                let free = parameter.choices.is_empty() && parameter.minimum.is_none();
                let why = if free {
                    "it has no bounds; give it some with .between(), so that slips are caught"
                } else {
                    "nothing to try"
                };
                checks.skip(&format!("{name} at its ends"), why);
            }
            for end in &ends {
                let at = || -> Result<&str> {
                    let mut params = params.clone();
                    params.insert(parameter.name.clone(), end.clone());
                    let model = self.sample.trained(self.objective)?;
                    match self.measure(self.sample, &model, &params, None) {
                        Ok(_) => Ok("works"),
                        Err(failure) if refusal(&failure) => Ok("is refused"),
                        Err(failure) => Err(failure),
                    }
                };
                checks.make(&format!("{name} at {end}"), at, |words| (*words).to_owned());
            }
        }
    }
}

/// Whether a parameter was refused, and not stumbled over.
fn refusal(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::BadInput | FailureKind::Unsupported | FailureKind::NonFinite)
}

/// The words of a typed refusal.
fn typed(failure: Failure) -> Result<String> {
    if refusal(&failure) { Ok(format!("refused: {}", failure.message)) } else { Err(failure) }
}

fn primary(output: &MeasureOutput) -> Option<&MetricValue> {
    output.values.iter().find(|value| value.primary)
}

fn shown(value: Option<&MetricValue>) -> String {
    value.map_or_else(String::new, |value| {
        format!("{} = {:.4} +- {:.4} {}", value.name, value.value.0, value.std_error.0, value.unit)
    })
}

/// The first value that the other lacks or has otherwise.
fn differing(a: &MeasureOutput, b: &MeasureOutput, same: impl Fn(f64, f64) -> bool) -> Option<String> {
    if a.values.len() != b.values.len() {
        return Some(format!("{} values, then {}", a.values.len(), b.values.len()));
    }
    let pair = a.values.iter().zip(&b.values).find(|(a, b)| a.name != b.name || !same(a.value.0, b.value.0));
    pair.map(|(a, b)| format!("`{}` {}, then `{}` {}", a.name, a.value.0, b.name, b.value.0))
}

/// Multiplies all weights.
fn scale(model: &Model, factor: f64) -> Result<()> {
    let _guard = tch::no_grad_guard();
    for row in &model.parameters {
        let mut tensor: Tensor = row.tensor.shallow_clone();
        let _ = tensor.f_mul_scalar_(factor).or_fail()?;
    }
    Ok(())
}

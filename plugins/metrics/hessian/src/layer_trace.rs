//! `hessian/layer_trace`: the trace of the Hessian, layer by layer.

use std::fmt::Write;

use clmbench_sdk::prelude::*;

use crate::{
    draws::{self, Draws, Masks},
    trace_hutchinson::signs,
    traces,
};

/// Traces of the diagonal blocks of the Hessian, one a layer: `E[sum_{i in layer} v_i (H v)_i]` with signs v, since all terms off
/// the diagonal have mean zero. All layers come from the same products with the whole Hessian as `hessian/trace_hutchinson`.
pub struct LayerTrace;

/// Where the parameters of a layer lie in [P].
struct Layer {
    name: String,
    parameters: i64,
    /// Start and length of each stretch.
    stretches: Vec<(i64, i64)>,
}

impl Metric for LayerTrace {
    fn info(&self) -> MetricInfo {
        let doc = "random probes of each group at most, each with its own masks";
        let mut parameters = draws::parameters("probes", 64, doc, traces::MOLECULES);
        parameters.push(Masks::parameter());
        parameters.push(traces::adaptive("a second product in the same pass"));
        MetricInfo {
            id: "hessian/layer_trace".into(),
            doc: "Trace of the Hessian of the loss by layer: sums over the layer's parameters of v * (H v), random signs v, all layers \
                  from the same products as trace_hutchinson. A layer is what stands in a parameter's name up to its first \
                  number (encoder.layer.3), or without its last word. mean_per_parameter: mean over layers of tr(H_l)/P_l; \
                  largest_share: the largest layer's share of sum |tr(H_l)|, which noise of the draws biases upwards; a value \
                  trace:LAYER and, if adaptive, adaptive:LAYER each, and layers.csv. Stops at SE <= 5 % of the primary value."
                .into(),
            citation: "Hutchinson 1990, Commun. Stat. Simul. Comput. 19; Dong et al. 2020 (HAWQ-V2, layer traces), arXiv:1911.03852, section 3.2"
                .into(),
            unit: "nats/token".into(),
            primary: "mean_per_parameter".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Moderate,
            comparable: Comparable::SameEvaluation,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters,
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let layers = layers(probe)?;
        let sizes = probe.weights()?.f_abs()?;
        let adaptive = params.boolean("adaptive")?;
        // Numbers: the primary value, the raw trace of each layer, the adaptive trace of each layer.
        let draws = Draws::take(probe, params, (Masks::read(params)?, params.integer("probes")?), |draw, sample| {
            let signs = signs(probe, draw, sample, &sizes)?;
            let vectors = if adaptive { Tensor::f_stack(&[&signs, &signs.f_mul(&sizes)?], 0)? } else { signs.f_unsqueeze(0)? };
            let terms = probe.hvp(sample, &vectors, HvpMethod::DoubleBackward)?.f_mul(&vectors)?; // [1 or 2, P]
            let mut numbers = vec![0.0];
            for row in 0..vectors.size()[0] {
                let terms = terms.f_select(0, row)?;
                for layer in &layers {
                    numbers.push(layer.sum(&terms)?);
                }
            }
            let shares = numbers[1..].iter().zip(&layers).map(|(trace, layer)| trace / layer.parameters as f64);
            numbers[0] = shares.sum::<f64>() / layers.len() as f64;
            Ok(numbers)
        })?;
        let unit = "nats/token";
        let of = |row: usize, kind: &str| -> Vec<Value> {
            let named = |index: usize| format!("{kind}:{}", layers[index].name);
            let at = |index: usize| 1 + row * layers.len() + index;
            (0..layers.len()).map(|index| draws.value(&named(index), unit, |all| all[at(index)])).collect()
        };
        let (raw, scaled) = (of(0, "trace"), if adaptive { of(1, "adaptive") } else { Vec::new() });
        let mut values = vec![draws.value("mean_per_parameter", unit, |all| all[0]), largest_share(&raw)];
        let table = table(&layers, &raw, &scaled);
        values.extend(raw);
        values.extend(scaled);
        values.push(Value::exact("draws", draws.count() as f64, "draws"));
        let artifacts = vec![("layers.csv".to_owned(), table.into_bytes())];
        Ok(Measurement { values, artifacts, molecules: draws.molecules, stopped: draws.stopped })
    }
}

impl Layer {
    fn sum(&self, terms: &Tensor) -> Result<f64, PluginError> {
        let mut sum = 0.0;
        for (start, length) in &self.stretches {
            sum += terms.f_narrow(0, *start, *length)?.f_sum(Kind::Double)?.f_double_value(&[])?;
        }
        Ok(sum)
    }
}

/// What stands in a name up to its first number, or without its last word.
fn layer_of(name: &str) -> &str {
    let mut end = 0;
    for word in name.split('.') {
        end += word.len();
        if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
            return &name[..end];
        }
        end += 1;
    }
    name.rsplit_once('.').map_or(name, |(layer, _)| layer)
}

/// Layers in the order of their first parameter; parameters without a gradient are in none.
fn layers(probe: &Probe<'_>) -> Result<Vec<Layer>, PluginError> {
    let mut layers: Vec<Layer> = Vec::new();
    for row in probe.parameters()?.iter().filter(|row| row.offset >= 0) {
        let (name, count) = (layer_of(row.name.as_str()), row.shape.iter().product::<i64>());
        let at = layers.iter().position(|layer| layer.name == name).unwrap_or_else(|| {
            layers.push(Layer { name: name.into(), parameters: 0, stretches: Vec::new() });
            layers.len() - 1
        });
        let layer = &mut layers[at];
        layer.parameters += count;
        match layer.stretches.last_mut() {
            Some((start, length)) if *start + *length == row.offset => *length += count,
            _ => layer.stretches.push((row.offset, count)),
        }
    }
    if layers.is_empty() {
        return Err(PluginError::Input("no parameter gets a gradient from the loss; there is no layer to measure".into()));
    }
    Ok(layers)
}

/// Largest |trace| over the sum of all; errors by the delta method, layers taken as independent.
fn largest_share(raw: &[Value]) -> Value {
    let total: f64 = raw.iter().map(|layer| layer.value.abs()).sum();
    let largest = raw.iter().map(|layer| layer.value.abs()).fold(0.0, f64::max);
    let share = if total > 0.0 { largest / total } else { 0.0 };
    // d share / d |t_l| = ([l is the largest] - share) / total.
    let error = |of: &dyn Fn(&Value) -> Option<f64>| {
        let terms = raw.iter().map(|layer| {
            let slope = (f64::from(u8::from(layer.value.abs() >= largest)) - share) / total.max(f64::MIN_POSITIVE);
            (slope * of(layer).unwrap_or(0.0)).powi(2)
        });
        terms.sum::<f64>().sqrt()
    };
    Value::estimate("largest_share", share, "", error(&|value| value.se_estimator), error(&|value| value.se_sample))
}

fn table(layers: &[Layer], raw: &[Value], scaled: &[Value]) -> String {
    let mut text =
        "layer,parameters,trace,se_estimator,se_sample,trace_adaptive,adaptive_se_estimator,adaptive_se_sample\n".to_owned();
    let row = |value: Option<&Value>| match value {
        Some(value) => {
            format!("{},{},{}", value.value, value.se_estimator.unwrap_or(0.0), value.se_sample.unwrap_or(0.0))
        }
        None => ",,".into(),
    };
    for (index, layer) in layers.iter().enumerate() {
        // A String takes every write.
        let _ = writeln!(text, "{},{},{},{}", layer.name, layer.parameters, row(raw.get(index)), row(scaled.get(index)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::layer_of;

    #[test]
    fn a_layer_is_named_by_its_number_or_its_module() {
        for (name, layer) in [
            ("bert.encoder.layer.3.attention.self.query.weight", "bert.encoder.layer.3"),
            ("bert.embeddings.LayerNorm.bias", "bert.embeddings.LayerNorm"),
            ("h.0.ln.weight", "h.0"),
            ("part.1", "part.1"),
            ("words.weight", "words"),
            ("bias", "bias"),
        ] {
            assert_eq!(layer_of(name), layer);
        }
    }
}

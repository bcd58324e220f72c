//! `landscape/relative_flatness`: curvature of one layer, weighted by the products of its rows.

use clmbench_sdk::{
    api::ParameterRow,
    estimation::{Molecules, Stopping},
    prelude::*,
    random::Stream,
};

use crate::others::dot;

/// `kappa_tr = sum_ss' <w_s, w_s'> tr(H_ss')` over rows s, s' of one weight matrix W, H_ss' the block of second derivatives between
/// two rows.
///
/// Blocks are never formed: with a square matrix R of independent signs, a row and a column for each column of W, and `V = W R`,
/// `E <V, H V> = kappa_tr`, since `E V_sc V_s'c' = <w_s, w_s'>` where c = c' and 0 elsewhere. This is Hutchinson's estimator of
/// `tr (W (x) I)^T H (W (x) I)`; signs of rank one, `R = u z^T`, have the same mean and heavier tails. One product with the Hessian a
/// draw and group of molecules.
pub struct RelativeFlatness;

/// Groups that the molecules are split into; the error over molecules is a jackknife over them.
const GROUPS: u64 = 16;
/// Draws before the standard error is trusted.
const LEAST: usize = 16;
/// Words of names of output matrices that are not tied to the word table.
const DECODERS: [&str; 3] = ["decoder", "lm_head", "embed_out"];

impl Metric for RelativeFlatness {
    fn info(&self) -> MetricInfo {
        let mut parameters = vec![
            ParameterInfo::text("layer", "auto", &[], "name of the weight matrix; `auto`: the last one before the output matrix"),
            ParameterInfo::integer("probes", 64, "draws at most, one Hessian-vector product each").between(2.0, 100_000.0),
        ];
        parameters.extend(Molecules::parameters(256));
        MetricInfo {
            id: "landscape/relative_flatness".into(),
            doc: "Relative flatness kappa_tr of one feature layer: sum over pairs of rows of their product times the trace of their block of the \
                  Hessian, by products with its weights times random signs; also divided by the number of the layer's weights. `auto` is the \
                  last matrix of role weight in the parameter table that is not an untied output matrix (named decoder, lm_head or \
                  embed_out, of the word table's shape). Each draw has fresh masks. It does not change when rows are scaled and what \
                  follows scales back (value, query or feed-forward rows), but when columns are. One layer says nothing of the others. \
                  Stops at SE <= 5 % (from 16 draws on), after `probes`, or at the budget. A layer with a saddle can be below 0."
                .into(),
            citation: "Petzka et al. 2021, arXiv:2001.00939, relative flatness kappa_Tr".into(),
            unit: "nats/token".into(),
            primary: "kappa_trace".into(),
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
        let molecules = Molecules::read(probe, params)?;
        let most = params.integer("probes")?.unsigned_abs() as usize;
        let table = probe.parameters()?;
        let layer = choose(&table, &params.text("layer")?)?;
        let (offset, rows, columns) = (layer.offset, layer.shape[0], layer.shape[1]);
        let weights = probe.weights()?;
        let matrix = weights.f_narrow(0, offset, rows * columns)?.f_view([rows, columns])?;
        let stopping = Stopping { least: LEAST, most };
        let (mut draws, mut means): (Vec<Vec<[f64; 2]>>, Vec<f64>) = (Vec::new(), Vec::new());
        let stopped = loop {
            let k = draws.len() as u64;
            probe.progress(k, most as u64, "draw")?;
            let mut groups = Vec::new();
            for sample in molecules.groups(GROUPS, k) {
                let tokens = probe.predicted(sample)?.iter().sum::<f64>();
                let mut stream = Stream::new(probe.rng(&format!("signs {k} {}", sample.start)));
                let signs = stream.signs(&Tensor::f_zeros([columns, columns], (weights.kind(), weights.device()))?)?;
                let vector = weights.f_zeros_like()?;
                let moved = matrix.f_matmul(&signs)?.f_reshape([-1])?;
                vector.f_narrow(0, offset, rows * columns)?.f_copy_(&moved)?;
                // A group without a predicted token has no loss to differentiate.
                let bent = if tokens > 0.0 {
                    dot(&vector, &probe.hvp(sample, &vector.f_unsqueeze(0)?, HvpMethod::DoubleBackward)?.f_view([-1])?)?
                } else {
                    0.0
                };
                groups.push([tokens * bent, tokens]);
            }
            if groups.iter().filter(|[_, tokens]| *tokens > 0.0).count() < 2 {
                let text = "fewer than two groups of molecules have a predicted token: raise `molecules`";
                return Err(PluginError::Input(text.into()));
            }
            let sum = |part: usize| groups.iter().map(|group| group[part]).sum::<f64>();
            means.push(sum(0) / sum(1));
            draws.push(groups);
            if let Some(reason) = stopping.reason(probe, &means)? {
                break reason;
            }
        };
        let (kappa, se_estimator) = statistics::mean_with_error(&means);
        let over = |part: usize| -> Vec<f64> {
            (0..draws[0].len()).map(|group| draws.iter().map(|draw| draw[group][part]).sum()).collect()
        };
        let (_, se_sample) = statistics::ratio_with_jackknife(&over(0), &over(1));
        let size = (rows * columns) as f64;
        let value = |name, size: f64| Value::estimate(name, kappa / size, "nats/token", se_estimator / size, se_sample / size);
        let values = vec![
            value("kappa_trace", 1.0),
            value("kappa_trace_per_weight", size),
            Value::exact("draws", draws.len() as f64, "draws"),
        ];
        let artifacts = vec![("layer.txt".into(), format!("{}\n", layer.name).into_bytes())];
        Ok(Measurement { values, artifacts, molecules: molecules.count, stopped })
    }
}

/// The layer of this name, or the last matrix before the output matrix.
fn choose<'a>(table: &'a [ParameterRow], wanted: &str) -> Result<&'a ParameterRow, PluginError> {
    let fits = |row: &&ParameterRow| row.offset >= 0 && row.shape.len() == 2;
    if wanted != "auto" {
        return table.iter().filter(fits).find(|row| row.name == wanted).ok_or_else(|| {
            let names: Vec<String> = table.iter().filter(fits).map(|row| format!("`{}`", row.name)).collect();
            let shown = if names.len() > 8 { format!("{}, ..", names[names.len() - 8..].join(", ")) } else { names.join(", ") };
            PluginError::Input(format!("parameter `layer` is `{wanted}`, no matrix that is trained; there are: {shown}"))
        });
    }
    let words = table.iter().find(|row| row.role == Role::Embedding);
    let decoder = |row: &ParameterRow| {
        words.is_some_and(|words| words.shape == row.shape) && DECODERS.iter().any(|word| row.name.contains(word))
    };
    let found = table.iter().filter(fits).rfind(|row| row.role == Role::Weight && !decoder(row));
    found.ok_or_else(|| PluginError::Input("the model has no weight matrix before its output: name one as `layer`".into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_sdk::{
        api::{ParameterRow, Role},
        testing::{Block, TestProbe},
    };

    use super::choose;

    fn row(name: &str, offset: i64, shape: &[i64], role: Role) -> ParameterRow {
        ParameterRow { name: name.into(), offset, shape: shape.to_vec().into(), role }
    }

    #[test]
    fn the_layer_is_the_last_matrix_before_the_output() {
        let mut table = vec![
            row("words.weight", 0, &[9, 4], Role::Embedding),
            row("up.weight", 36, &[9, 4], Role::Weight),
            row("up.bias", 72, &[9], Role::Bias),
            row("pooler.weight", -1, &[4, 4], Role::Weight),
        ];
        assert_eq!(choose(&table, "auto").unwrap().name, "up.weight");
        table.push(row("lm_head.weight", 81, &[9, 4], Role::Weight));
        assert_eq!(choose(&table, "auto").unwrap().name, "up.weight");
        assert_eq!(choose(&table, "lm_head.weight").unwrap().offset, 81);
        let words = "parameter `layer` is `pooler.weight`, no matrix that is trained; there are: `words.weight`, `up.weight`, \
                     `lm_head.weight`";
        assert_eq!(choose(&table, "pooler.weight").unwrap_err().to_string(), words);
        let words = "the model has no weight matrix before its output: name one as `layer`";
        assert_eq!(choose(&table[..1], "auto").unwrap_err().to_string(), words);
        let block = Block::new(2, 1).unwrap();
        let table = TestProbe::new(&block, 1, 1.0).probe().parameters().unwrap();
        assert_eq!(choose(&table, "auto").unwrap().name, "output.weight");
    }
}

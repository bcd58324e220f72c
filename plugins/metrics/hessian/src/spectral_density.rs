//! `hessian/spectral_density`: the Hessian's spectrum by stochastic Lanczos quadrature.

use std::fmt::Write;

use clmbench_sdk::{
    estimation::{Molecules, Stopping},
    prelude::*,
    random::Stream,
};

use crate::{
    lanczos::{Lanczos, Ritz},
    operator::{self, Memory, Operator},
    spectrum::{self, COUNT, Sums},
};

/// Runs before their spread is trusted.
const LEAST: usize = 8;
/// Points of the density's grid.
const POINTS: usize = 1024;
/// Vectors of P numbers beside the basis: start, step, product and those of the error over molecules.
const BESIDE: u64 = 4 + COUNT as u64;

/// Distribution of the Hessian's eigenvalues. A run of k steps of Lanczos' method from random signs gives the nodes and weights of a
/// Gauss quadrature, so that `Σ_λ f(λ)` is about `P Σ_i w_i f(θ_i)`; its mean over runs has no bias for polynomials of degree below 2 k
/// (the trace and the sum of squares), and one that falls with k for `|λ|` and `|λ| ln |λ|`.
pub struct SpectralDensity;

impl Metric for SpectralDensity {
    fn info(&self) -> MetricInfo {
        let mut parameters = vec![
            ParameterInfo::integer("runs", 16, "runs from random starts at most").between(2.0, 10_000.0),
            ParameterInfo::integer(
                "steps",
                20,
                "steps of Lanczos' method in a run, a product each; fewer where the budget pays no two runs",
            )
            .between(2.0, 10_000.0),
            ParameterInfo::float("width", 0.005, "standard deviation of the density's smoothing, a share of the range")
                .between(1e-6, 1.0),
            operator::memory_parameter(),
            operator::adaptive_parameter(),
        ];
        parameters.extend(Molecules::parameters(128));
        MetricInfo {
            id: "hessian/spectral_density".into(),
            doc: "Eigenvalues of the Hessian of the loss under one draw of masks, by stochastic Lanczos quadrature with full \
                  re-orthogonalisation: spectral_entropy -sum p ln p of p_i = |l_i| / sum |l|; effective_rank, its exponential; \
                  negative_mass, the share of sum |l| below 0; trace and trace_of_square as cross-checks. density.csv: \
                  smoothed density; nodes.csv: Ritz values and weights of each run. Errors: jackknife over runs, which takes bias of first order away; over molecules to \
                  first order, less the noise of the runs. Few steps blur what is near 0 and bias entropy and mass: compare at equal \
                  `steps` (a value beside). Sizes are planned from the budget, steps before runs. Stops when the runs' effective ranks are known to 5 % (from 8 runs on), after `runs`, or at the budget. \
                  Holds steps + 9 vectors of P numbers; `memory_mib` caps the steps."
                .into(),
            citation: "Lin, Saad & Yang 2016, SIAM Review 58, section 3.2; Ghorbani et al. 2019, arXiv:1901.10159; Roy & Vetterli 2007 \
                       (effective rank)"
                .into(),
            unit: "nats".into(),
            primary: "spectral_entropy".into(),
            direction: Direction::HigherIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Expensive,
            comparable: Comparable::SameEvaluation,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters,
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let weights = probe.weights()?;
        let size = weights.numel() as u64;
        let wanted = params.integer("steps")?.unsigned_abs().min(size);
        let memory = Memory::plan(params, &weights, wanted + BESIDE, 1, 2.min(size) + BESIDE)?;
        let operator = Operator::new(probe, params)?;
        let wanted = (params.integer("runs")?.unsigned_abs(), memory.vectors - BESIDE);
        let (most, steps) = plan(operator.affordable()?, wanted);
        probe.progress(0, most, &format!("Lanczos: {memory}; {most} runs of {steps} steps"))?;
        let short = (most, steps) != wanted;
        let most = most as usize;
        let stopping = Stopping { least: LEAST, most };
        let (mut runs, mut ranks) = (Runs::default(), Vec::new());
        let stopped = loop {
            let signs = Stream::new(probe.rng(&format!("start {}", ranks.len()))).signs(&weights)?;
            ranks.push(runs.go(&operator, &signs, steps)?);
            probe.progress(ranks.len() as u64, most as u64, "run")?;
            match stopping.reason(probe, &ranks)? {
                Some("complete") if short => break "budget",
                Some(reason) => break reason,
                None => {}
            }
        };
        let mut values = spectrum::values(&runs.sums, &runs.influences, &runs.tokens);
        values.push(Value::exact("steps", steps as f64, "steps"));
        values.push(Value::exact("runs", ranks.len() as f64, "runs"));
        values.push(Value::exact("memory_bytes", memory.bytes as f64, "bytes"));
        let artifacts = runs.tables(params.float("width")?);
        Ok(Measurement { values, artifacts, molecules: operator.molecules(), stopped })
    }
}

/// Runs and steps of each that so many products pay, a run taking one product more than it has steps: as many steps as wanted if there
/// are two runs of them, since values of fewer steps are not comparable; else two runs of fewer.
fn plan(products: f64, (runs, steps): (u64, u64)) -> (u64, u64) {
    // No fewer than two of each, whatever the budget.
    let steps = steps.min(((products / 2.0).floor() - 1.0).max(2.0) as u64);
    (runs.min((products / (steps + 1) as f64).floor().max(2.0) as u64), steps)
}

/// What the runs gave.
#[derive(Default)]
struct Runs {
    sums: Vec<Sums>,
    ritz: Vec<Ritz>,
    influences: Vec<Vec<Sums>>,
    tokens: Vec<f64>,
}

impl Runs {
    /// One run; returns its effective rank.
    fn go(&mut self, operator: &Operator<'_, '_>, signs: &Tensor, steps: u64) -> Result<f64, PluginError> {
        let mut lanczos = Lanczos::new(signs, steps)?;
        while lanczos.step(operator)? {}
        let ritz = lanczos.ritz()?;
        let parameters = signs.numel() as f64;
        let sums = Sums::estimated(&ritz, parameters);
        let [_, squares, sizes, ..] = sums.0;
        if squares == 0.0 || sizes == 0.0 {
            return Err(PluginError::Input("the Hessian of the loss is zero; it has no spectrum to describe".into()));
        }
        // Slopes of the sums along f'(H) z, for every group of molecules: E[(f'(H) z)' H_g z] = tr(f'(H) H_g).
        let floor = 1e-6 * squares.sqrt();
        let slopes: Vec<[f64; COUNT]> = ritz.values.iter().map(|value| spectrum::slopes(*value, floor)).collect();
        let along: Result<Vec<Tensor>, PluginError> = (0..COUNT)
            .map(|index| {
                let at: Vec<f64> = slopes.iter().map(|all| all[index] * parameters.sqrt()).collect();
                lanczos.applied(&ritz, &at)
            })
            .collect();
        let along = Tensor::f_stack(&along?, 0)?; // [COUNT, P]
        let (mut influences, mut tokens) = (Vec::new(), Vec::new());
        operator.by_groups(signs, |weight, product| {
            let found = Vec::<f64>::try_from(along.f_mv(&product)?.f_to_kind(Kind::Double)?)?;
            influences.push(Sums(std::array::from_fn(|index| found[index])));
            tokens.push(weight);
            Ok(())
        })?;
        self.influences.push(influences);
        self.tokens = tokens;
        self.sums.push(sums);
        self.ritz.push(ritz);
        Ok(sums.values()[1])
    }

    /// The density and the nodes it is made of, as CSV.
    fn tables(&self, width: f64) -> Vec<(String, Vec<u8>)> {
        // A String takes every write.
        let mut density = "eigenvalue,density\n".to_owned();
        for (place, value) in spectrum::smoothed(&self.ritz, width, POINTS) {
            let _ = writeln!(density, "{place},{value}");
        }
        let mut nodes = "run,eigenvalue,weight\n".to_owned();
        for (run, ritz) in self.ritz.iter().enumerate() {
            for (value, first) in ritz.values.iter().zip(&ritz.first) {
                let _ = writeln!(nodes, "{run},{value},{}", first * first);
            }
        }
        vec![("density.csv".into(), density.into_bytes()), ("nodes.csv".into(), nodes.into_bytes())]
    }
}

#[cfg(test)]
mod tests {
    use super::plan;

    #[test]
    fn runs_and_steps_are_planned_within_the_products() {
        for (products, planned) in [
            (1e9, (16, 20)),
            (336.0, (16, 20)),
            (335.0, (15, 20)),
            (42.0, (2, 20)),
            (41.0, (2, 19)),
            (8.0, (2, 3)),
            (0.0, (2, 2)),
        ] {
            assert_eq!(plan(products, (16, 20)), planned, "{products} products");
            assert!(products < 6.0 || (planned.0 * (planned.1 + 1)) as f64 <= products);
        }
        // No more steps than there are parameters.
        assert_eq!(plan(100.0, (4, 1)), (4, 1));
    }
}

//! `sharpness/worst_*`: the largest rise of the loss in a ball or box around the weights.

use std::fmt::Write;

use clmbench_sdk::{prelude::*, random::Stream};

use crate::{
    Norm, Region,
    apgd::{Climb, ITERATION, climb},
    batches::{Batches, affordable},
    loss::{mean_loss, resolved},
    region::scale,
};

/// `E_batch max { L(w + d) - L(w) : |d / c|_p <= rho }`, worst-case sharpness of Andriushchenko et al. 2023, p = 2 or infinity, c = 1
/// (raw) or c = |w| (adaptive), over disjoint batches of m molecules with their own loss L. On a quadratic at its minimum it is
/// `rho^2 / 2 lambda_max(C H C)` for l2; for small rho, `rho |c g|` (l2) and `rho sum |c g|` (linf).
///
/// The maximum is sought by APGD ([`climb`]) on u = d / c, from the weights and, with `starts` above 1, from random points: always a
/// lower bound. The reference steps along c g and projects d on the ellipsoid in plain Euclidean distance (`projection = "euclidean"`
/// does so), which climbs to the same maximum more slowly and by a way that depends on the parametrisation; on u each iterate is the same for all
/// rescaled layers of one function. After a halving the reference goes on from where it was (it restores the weights, but not its own d); here, as in the paper, from the
/// best point.
///
/// `se_sample` is the jackknife over batches, which holds the noise of their masks as well; how far below the maximum the ascent
/// ended is in no error: `late_share`, the share of the rise that the last quarter of the iterations brought, hints at it.
#[derive(Debug)]
pub struct Worst {
    norm: Norm,
    adaptive: bool,
}

impl Worst {
    /// In this norm, relative to the weights or not.
    pub fn new(norm: Norm, adaptive: bool) -> Self {
        Self { norm, adaptive }
    }

    fn rho(&self) -> ParameterInfo {
        let (rho, doc) = match (self.norm, self.adaptive) {
            (Norm::L2, false) => (0.05, "length of the perturbation, all weights together"),
            (Norm::L2, true) => (0.5, "length of the relative perturbation, all weights together (the paper: .25, .5, 1, 2)"),
            (Norm::Linf, false) => (5e-4, "largest perturbation of each weight (the paper: 5e-4, 1e-3, 2e-3, 4e-3)"),
            (Norm::Linf, true) => (2e-3, "largest relative perturbation of each weight (the paper: 1e-3 to 8e-3)"),
        };
        ParameterInfo::float("rho", rho, doc).between(1e-8, 100.0)
    }

    /// Whether the region is an ellipsoid.
    fn in_ellipsoid(&self) -> bool {
        self.norm == Norm::L2 && self.adaptive
    }

    fn doc(&self) -> String {
        let of = match (self.norm, self.adaptive) {
            (Norm::L2, false) => "|d|_2 <= rho",
            (Norm::L2, true) => "|d / w|_2 <= rho, the same for rescaled layers of one function,",
            (Norm::Linf, false) => "|d_i| <= rho for every weight",
            (Norm::Linf, true) => "|d_i| <= rho |w_i| for every weight, the same for rescaled layers of one function,",
        };
        format!(
            "Mean over disjoint batches of m molecules of the largest rise L(w + d) - L(w) with {of} by APGD: a lower bound of the \
             maximum. `iterations` are cut to what the budget pays for twice, and told; `late_share`: share of the rise that came in their \
             last quarter. Stops at SE <= 5 % over batches (from 8 on), after the sample, or at the budget. A rise that the losses' number \
             format does not resolve is refused; values with another rho, m or number of iterations are other metrics."
        )
    }
}

/// What one batch gave.
struct Found {
    best: Climb,
    late: f64,
}

impl Metric for Worst {
    fn info(&self) -> MetricInfo {
        let mut parameters = vec![
            self.rho(),
            ParameterInfo::integer("iterations", 20, "iterations of the ascent at most").between(1.0, 10_000.0),
            ParameterInfo::integer(
                "starts",
                1,
                "ascents of each batch; the first from the weights, the others from random points",
            )
            .between(1.0, 100.0),
        ];
        if self.in_ellipsoid() {
            let doc = "distance by which a step is projected: of d / w, or plain as in the reference's code (slower; depends on the \
                       parametrisation until it has converged)";
            parameters.push(ParameterInfo::text("projection", "scaled", &["scaled", "euclidean"], doc));
        }
        parameters.extend(Batches::parameters());
        let suffix = if self.adaptive { "_adaptive" } else { "" };
        MetricInfo {
            id: format!("sharpness/worst_{}{suffix}", self.norm.word()),
            doc: self.doc(),
            citation:
                "Andriushchenko et al. 2023, arXiv:2302.07011, equation 1 (worst-case); Croce & Hein 2020, arXiv:2003.01690, \
                       algorithm 1 (APGD)"
                    .into(),
            unit: "nats/token".into(),
            primary: "rise".into(),
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
        let batches = Batches::read(probe, params)?;
        let (starts, wanted) = (params.integer("starts")?.unsigned_abs(), params.integer("iterations")?.unsigned_abs());
        let iterations = affordable(probe, batches.size, 2, ITERATION * starts as f64, wanted)?;
        let mut region = Region::new(self.norm, params.float("rho")?, scale(probe, self.adaptive)?);
        region.euclidean = self.in_ellipsoid() && params.text("projection")? == "euclidean";
        let stopping = batches.stopping();
        let (mut rises, mut losses, mut late) = (Vec::new(), Vec::new(), Vec::new());
        let mut table = String::from("batch,iteration,rise\n");
        let stopped = loop {
            let batch = rises.len() as u64;
            probe.progress(batch, batches.count, "batch")?;
            let found = highest(probe, batches.sample(batch, 0), &region, (batch, starts, iterations))?;
            for (iteration, rise) in found.best.trace.iter().enumerate() {
                let _ = writeln!(table, "{batch},{},{rise:e}", iteration + 1);
            }
            rises.push(found.best.rise);
            losses.push(found.best.here);
            late.push(found.late);
            if let Some(reason) = stopping.reason(probe, &rises)? {
                break reason;
            }
        };
        let (mean, error) = statistics::mean_with_error(&rises);
        resolved(region.scale.kind(), statistics::mean_with_error(&losses).0, mean)?;
        let with_error = |name: &str, unit: &str, (mean, error): (f64, f64)| Value {
            se_sample: Some(error),
            ..Value::exact(name, mean, unit)
        };
        let values = vec![
            with_error("rise", "nats/token", (mean, error)),
            with_error("late_share", "share", statistics::mean_with_error(&late)),
            Value::exact("iterations", iterations as f64, "iterations"),
            Value::exact("batch", batches.size as f64, "molecules"),
        ];
        let artifacts = vec![("ascent.csv".to_owned(), table.into_bytes())];
        let stopped = if iterations < wanted { "budget" } else { stopped };
        Ok(Measurement { values, artifacts, molecules: rises.len() as u64 * batches.size, stopped })
    }
}

/// The highest of the ascents of a batch.
fn highest(
    probe: &Probe<'_>,
    sample: Sample,
    region: &Region,
    (batch, starts, iterations): (u64, u64, u64),
) -> Result<Found, PluginError> {
    let here = mean_loss(probe, sample, None)?;
    let from = |start: u64| -> Result<Climb, PluginError> {
        let mut stream = Stream::new(probe.rng(&format!("start {start} of batch {batch}")));
        let point = if start == 0 { None } else { Some(region.random(&mut stream)?) };
        climb(probe, sample, region, here, point, iterations)
    };
    let mut best: Option<Climb> = None;
    for start in 0..starts {
        let found = match from(start) {
            // No way up from the weights themselves: a random start may have one.
            Err(PluginError::Input(_)) if start + 1 < starts && best.is_none() => continue,
            found => found?,
        };
        if best.as_ref().is_none_or(|best| found.rise > best.rise) {
            best = Some(found);
        }
    }
    let best = best.ok_or_else(|| PluginError::Input("no ascent was made; take `starts` of 1 or more".into()))?;
    let early = best.trace[(best.trace.len() * 3 / 4).saturating_sub(1)];
    let late = if best.rise > 0.0 { 1.0 - early / best.rise } else { 0.0 };
    Ok(Found { best, late })
}

//! `landscape/interpolation_barrier`: loss barrier on the straight line between two checkpoints.

use clmbench_sdk::prelude::*;

use crate::{others::Others, segment};

/// `max_a L((1 - a) w0 + a w1) - ((1 - a) L(w0) + a L(w1))` over a in [0, 1]: how far the loss rises above its chord on the way to
/// another checkpoint. 0 where the line stays below the chord: both lie in one basin.
///
/// Hidden units are not matched before: two seeds that found the same function with units in another order stand far apart, and the
/// barrier is then an upper bound of that modulo permutation (Entezari et al. 2022). Errors are those of the highest inner point,
/// taken as fixed.
pub struct InterpolationBarrier;

impl Metric for InterpolationBarrier {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "landscape/interpolation_barrier".into(),
            doc: "Barrier of the loss on the straight line to another checkpoint: greatest height above the chord between the losses of both \
                  ends, over `points` evenly spaced points; 0 where the line stays below it. Also `instability`, the height over the \
                  mean of both ends (Frankle et al.), the mean height with its sign, where the barrier stands, the loss half way above \
                  the chord, and the distance relative to the weights. No permutation alignment: a barrier between seeds is an upper \
                  bound of the one modulo permutation. The grid misses peaks narrower than its spacing. Runs that all have barrier 0 \
                  cannot be told apart: use `mean_height`. Refused where both are the same weights or of other shapes."
                .into(),
            citation: "Frankle et al. 2020, arXiv:1912.05671, section 2 (linear interpolation instability); the chord as in Entezari et al. \
                       2022, arXiv:2110.06296, definition 2.1"
                .into(),
            unit: "nats/token".into(),
            primary: "barrier".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Pair,
            cost: CostClass::Moderate,
            comparable: Comparable::SameEvaluation,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters: segment::parameters(21),
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let others = Others::read(probe)?;
        if others.rows.is_empty() {
            return Err(PluginError::Input("there is no other checkpoint to go to: the metric needs a pair".into()));
        }
        let (step, distance) = others.moved(probe, 0)?;
        let (segments, molecules, stopped) = segment::measure(probe, params, 1, |_| Ok(step.shallow_clone()))?;
        let line = &segments[0];
        let (alphas, losses, top) = (line.alphas(), line.losses(), line.top());
        let barrier = line.value("barrier", &line.height(top));
        let highest = (0..losses.len()).max_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap_or(top);
        let mut above_mean = vec![0.0; losses.len()];
        above_mean[0] -= 0.5;
        above_mean[losses.len() - 1] -= 0.5;
        above_mean[highest] += 1.0;
        let values = vec![
            Value { value: barrier.value.max(0.0), ..barrier },
            line.value("instability", &above_mean),
            line.value("mean_height", &line.mean_height()),
            line.value("height_halfway", &line.height(losses.len() / 2)),
            Value::exact("barrier_at", alphas[top], "1"),
            Value::exact("distance", distance / crate::others::length(&others.weights)?, "1"),
        ];
        let mut text = String::from("name,alpha,loss\n");
        line.write(&mut text, &others.rows[0].name);
        Ok(Measurement { values, artifacts: vec![("line.csv".into(), text.into_bytes())], molecules, stopped })
    }
}

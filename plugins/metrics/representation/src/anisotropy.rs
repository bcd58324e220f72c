//! `representation/anisotropy`: how narrow a cone the embeddings lie in.

use clmbench_sdk::{estimation::Molecules, prelude::*};

use crate::embeddings::{Embeddings, MOLECULES, numbers, value};

/// Mean cosine of the embeddings of two different molecules (Ethayarajh 2019, section 4.1), over all pairs: with unit vectors u of
/// sum S it is `(|S|^2 - N) / (N (N - 1))`, exact and without pairs. Error: jackknife over single molecules.
pub struct Anisotropy;

impl Metric for Anisotropy {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "representation/anisotropy".into(),
            doc: "Mean cosine of the embeddings of two different molecules, over all pairs: (|S|^2 - N) / (N (N - 1)), S the sum of the \
                  unit vectors. 1: all point one way; 0: no common direction; at least -1/(N - 1). Mean-pooled embeddings of \
                  trained transformers often exceed 0.8, and a constant added to all of them moves it alone. The source measures \
                  it and claims no transfer; that narrow cones hinder it is claimed by Gao et al. 2019 (arXiv:1907.12009) for \
                  language models."
                .into(),
            citation: "Ethayarajh 2019, arXiv:1909.00512, section 4.1 (average cosine similarity of random pairs)".into(),
            unit: "1".into(),
            primary: "anisotropy".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Cheap,
            comparable: Comparable::SameEvaluation,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters: Molecules::parameters(MOLECULES).into(),
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let embeddings = Embeddings::read(probe, params)?;
        let directions = embeddings.directions()?;
        let sum = directions.f_sum_dim_intlist(&[0_i64][..], false, Kind::Double)?;
        let square = sum.f_dot(&sum)?.f_double_value(&[])?;
        let count = embeddings.count as f64;
        let mean = |square: f64, count: f64| (square - count) / (count * (count - 1.0));
        let mut each = vec![mean(square, count)];
        // |S - u|^2 = |S|^2 - 2 S u + 1.
        let along = numbers(&directions.f_mv(&sum)?)?;
        each.extend(along.iter().map(|along| mean(square - 2.0 * along + 1.0, count - 1.0)));
        Ok(Measurement::complete(vec![value("anisotropy", "1", &each)?], embeddings.molecules.count))
    }
}

//! `representation/uniformity`: how evenly the directions of the embeddings cover the sphere.

use clmbench_sdk::{estimation::Molecules, prelude::*};

use crate::embeddings::{Embeddings, MOLECULES, numbers, value};

/// `log mean exp(-2 |x - y|^2)` over all pairs of different molecules, x and y their embeddings at length 1: Wang & Isola 2020,
/// section 4.1 with t = 2. Error: jackknife over single molecules, exact from the sums of rows.
pub struct Uniformity;

/// Rows of a block of pairs: at most `BLOCK`^2 of them are in memory at once.
const BLOCK: i64 = 1_024;
/// t of the Gaussian potential.
const SHARPNESS: f64 = 2.0;

impl Metric for Uniformity {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "representation/uniformity".into(),
            doc: "log of the mean of exp(-2 |x - y|^2) over all pairs of different molecules, x and y their embeddings divided by their \
                  lengths. 0: all point one way; about -4 + 8/D for directions spread evenly in D dimensions (-4 at most, but for \
                  pairs placed to repel). The paper claims that contrastive encoders with lower values, at equal alignment, transfer \
                  better; a CLM has no positive pairs, so that alignment is not measured. Costs N^2 D / 2 multiplications: 4,096 \
                  molecules of width 512 take about a second on two cores."
                .into(),
            citation: "Wang & Isola 2020, arXiv:2005.10242, section 4.1 (uniformity, t = 2)".into(),
            unit: "nats".into(),
            primary: "uniformity".into(),
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
        let sums = potentials(&embeddings.directions()?)?;
        let count = embeddings.count as f64;
        // Every pair stands in two sums.
        let total = sums.iter().sum::<f64>() / 2.0;
        let mean = |total: f64, count: f64| (total / (count * (count - 1.0) / 2.0)).ln();
        let mut each = vec![mean(total, count)];
        each.extend(sums.iter().map(|sum| mean(total - sum, count - 1.0)));
        Ok(Measurement::complete(vec![value("uniformity", "nats", &each)?], embeddings.molecules.count))
    }
}

/// For each molecule the sum of `exp(-2 |x - y|^2)` over the others, from unit vectors [N, D].
fn potentials(directions: &Tensor) -> Result<Vec<f64>, PluginError> {
    let count = directions.size2()?.0;
    let starts: Vec<i64> = (0..count).step_by(BLOCK as usize).collect();
    let part = |start: i64| directions.f_narrow(0, start, BLOCK.min(count - start));
    let sums = Tensor::f_zeros([count], (Kind::Double, Device::Cpu))?;
    let add = |start: i64, more: &Tensor| sums.f_narrow(0, start, more.numel() as i64)?.f_add_(more).map(drop);
    for (index, top) in starts.iter().enumerate() {
        for left in &starts[index..] {
            // |x - y|^2 = 2 - 2 x y for unit vectors.
            let mut cosines = part(*top)?.f_matmul(&part(*left)?.f_tr()?)?;
            let mut potentials = cosines.f_mul_scalar_(2.0 * SHARPNESS)?.f_sub_scalar_(2.0 * SHARPNESS)?.f_exp_()?;
            if top == left {
                potentials = potentials.f_fill_diagonal_(0.0, false)?;
            } else {
                add(*left, &potentials.f_sum_dim_intlist(&[0_i64][..], false, Kind::Double)?)?;
            }
            add(*top, &potentials.f_sum_dim_intlist(&[1_i64][..], false, Kind::Double)?)?;
        }
    }
    numbers(&sums)
}

//! `representation/participation_ratio`: over how many directions the variance is spread.

use clmbench_sdk::{estimation::Molecules, prelude::*};

use crate::embeddings::{Embeddings, MOLECULES, groups, value};

/// `(sum lambda)^2 / sum lambda^2` over eigenvalues of the centred covariance: the dimension of Gao et al. 2017. It is
/// `tr(C)^2 / |C|_F^2` and needs no eigenvalue.
pub struct ParticipationRatio;

impl Metric for ParticipationRatio {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "representation/participation_ratio".into(),
            doc: "(sum l)^2 / sum l^2 over the eigenvalues l of the centred covariance of the embeddings, taken as tr(C)^2 / |C|_F^2. \
                  Bounds: 1 to min(N - 1, D); `share` is the value over that bound. A few strong directions decide it, unlike \
                  RankMe, which counts weak ones too. Too small from few molecules: about 1/(1/value + 1/N). That more directions \
                  transfer better is the claim of the rank measures (Garrido et al. 2023), not of the source of the formula."
                .into(),
            citation: "Gao et al. 2017, bioRxiv 214262 (participation ratio)".into(),
            unit: "directions".into(),
            primary: "participation_ratio".into(),
            direction: Direction::HigherIsBetter,
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
        let each = ratios(&embeddings.centred()?)?;
        let bound = (embeddings.count - 1).min(embeddings.width) as f64;
        let shares: Vec<f64> = each.iter().map(|ratio| ratio / bound).collect();
        let values = vec![value("participation_ratio", "directions", &each)?, value("share", "1", &shares)?];
        Ok(Measurement::complete(values, embeddings.molecules.count))
    }
}

/// Of centred rows [N, D]: of all of them, then with each group left out.
fn ratios(rows: &Tensor) -> Result<Vec<f64>, PluginError> {
    let gram = |part: &Tensor| part.f_tr()?.f_matmul(part);
    let total = |part: &Tensor| part.f_sum_dim_intlist(&[0_i64][..], false, Kind::Double);
    let ratio = |gram: &Tensor, sum: &Tensor, left: usize| -> Result<f64, PluginError> {
        let spread = gram.f_subtract(&sum.f_outer(sum)?.f_div_scalar(left as f64)?)?;
        let (trace, square) =
            (spread.f_trace()?.f_double_value(&[])?, spread.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?);
        Ok(trace * trace / square)
    };
    let count = rows.size2()?.0 as usize;
    let (whole, sum) = (gram(rows)?, total(rows)?);
    let mut each = vec![ratio(&whole, &sum, count)?];
    for group in groups(count) {
        let part = rows.f_narrow(0, group.start as i64, group.len() as i64)?;
        each.push(ratio(&whole.f_subtract(&gram(&part)?)?, &sum.f_subtract(&total(&part)?)?, count - group.len())?);
    }
    Ok(each)
}

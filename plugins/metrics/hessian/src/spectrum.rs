//! Sums over the spectrum by stochastic Lanczos quadrature, and the values that are functions of them.

use clmbench_sdk::prelude::*;

use crate::lanczos::Ritz;

/// Sums over the eigenvalues λ of a symmetric matrix.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sums(pub [f64; COUNT]);

/// `Σ λ`, `Σ λ²`, `Σ |λ|`, `Σ |λ| ln |λ|`, `Σ |λ| [λ < 0]`.
pub const COUNT: usize = 5;

/// `|λ| ln |λ|`, continued by 0.
fn entropic(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.abs() * value.abs().ln() }
}

fn functions(value: f64) -> [f64; COUNT] {
    [value, value * value, value.abs(), entropic(value), if value < 0.0 { -value } else { 0.0 }]
}

/// Derivatives of the five functions. Where the logarithm has none, near 0, it is cut off at the size `floor`.
pub fn slopes(value: f64, floor: f64) -> [f64; COUNT] {
    let sign = if value < 0.0 { -1.0 } else { 1.0 };
    let logarithm = value.abs().max(floor).ln() + 1.0;
    [1.0, 2.0 * value, sign, sign * logarithm, if value < 0.0 { -1.0 } else { 0.0 }]
}

impl Sums {
    /// Of a list of eigenvalues.
    #[cfg(test)]
    pub fn of(values: &[f64]) -> Self {
        values.iter().fold(Self::default(), |sums, value| sums.plus(Self(functions(*value)), 1.0))
    }

    /// Estimated by one run from signs [P]: `P Σ_i w_i f(θ_i)`, the weights w the squares of the first components.
    pub fn estimated(ritz: &Ritz, parameters: f64) -> Self {
        let nodes = ritz.values.iter().zip(&ritz.first);
        nodes.fold(Self::default(), |sums, (value, first)| sums.plus(Self(functions(*value)), parameters * first * first))
    }

    /// `self + factor * other`.
    pub fn plus(&self, other: Self, factor: f64) -> Self {
        Self(std::array::from_fn(|index| self.0[index] + factor * other.0[index]))
    }

    /// Mean of some.
    pub fn mean(all: &[Self]) -> Self {
        all.iter().fold(Self::default(), |sum, one| sum.plus(*one, 1.0 / all.len() as f64))
    }

    /// The values: see [`NAMES`].
    pub fn values(&self) -> [f64; NAMES.len()] {
        let [trace, squares, sizes, logarithms, negative] = self.0;
        // Of p_i = |λ_i| / Σ |λ|: -Σ p ln p = ln Σ |λ| - Σ |λ| ln |λ| / Σ |λ|.
        let entropy = sizes.ln() - logarithms / sizes;
        [entropy, entropy.exp(), negative / sizes, trace, squares]
    }

    /// The values of `self + change` to first order: by their slopes at `self`, which exist wherever the values do.
    fn values_after(&self, change: Self) -> [f64; NAMES.len()] {
        let [entropy, rank, share, trace, squares] = self.values();
        let [_, _, sizes, logarithms, _] = self.0;
        let [of_trace, of_squares, of_sizes, of_logarithms, of_negative] = change.0;
        let moved = (of_sizes * (1.0 + logarithms / sizes) - of_logarithms) / sizes;
        let negative = (of_negative - share * of_sizes) / sizes;
        [entropy + moved, rank * (1.0 + moved), share + negative, trace + of_trace, squares + of_squares]
    }
}

/// Names and units of the values.
pub const NAMES: [(&str, &str); 5] = [
    ("spectral_entropy", "nats"),
    ("effective_rank", "eigenvalues"),
    ("negative_mass", ""),
    ("trace", "nats/token"),
    ("trace_of_square", "(nats/token)^2"),
];

/// Values of pooled runs with both errors. `influences` [runs][groups]: what each group of molecules, weighted `tokens`, contributes to
/// the slope of each sum.
pub fn values(runs: &[Sums], influences: &[Vec<Sums>], tokens: &[f64]) -> Vec<Value> {
    let pooled = Sums::mean(runs);
    let (found, estimator) = over_runs(runs);
    let sample = over_molecules(pooled, influences, tokens);
    let each = NAMES.iter().enumerate();
    each.map(|(index, (name, unit))| Value::estimate(name, found[index], unit, estimator[index], sample[index])).collect()
}

/// Values and their errors by the jackknife over runs, which takes the bias of first order from functions that are not linear in
/// the sums (Efron & Tibshirani 1993, equation 10.34).
fn over_runs(runs: &[Sums]) -> ([f64; NAMES.len()], [f64; NAMES.len()]) {
    let count = runs.len() as f64;
    let total = Sums::mean(runs);
    let left_out: Vec<_> =
        runs.iter().map(|run| total.plus(total, 1.0 / (count - 1.0)).plus(*run, -1.0 / (count - 1.0)).values()).collect();
    let (found, squares) = (total.values(), spread(&left_out));
    let mean = |index: usize| left_out.iter().map(|values| values[index]).sum::<f64>() / count;
    (
        std::array::from_fn(|index| count * found[index] - (count - 1.0) * mean(index)),
        squares.map(|squares| (squares * (count - 1.0) / count).sqrt()),
    )
}

/// Sum of squared deviations from the mean, value by value.
fn spread(all: &[[f64; NAMES.len()]]) -> [f64; NAMES.len()] {
    std::array::from_fn(|index| {
        let mean = all.iter().map(|one| one[index]).sum::<f64>() / all.len() as f64;
        all.iter().map(|one| (one[index] - mean).powi(2)).sum()
    })
}

/// Jackknife over groups of molecules to first order, `d tr f(H) = tr(f'(H) dH)`, less the noise of the runs in it.
///
/// Leaving out group g moves H by `-(n_g / (n - n_g)) (H_g - H)`. Where that would leave no spectrum at all (`Σ |λ| <= 0` to first order:
/// one group holds nearly all of the curvature), the values are moved by their slopes as well.
fn over_molecules(pooled: Sums, influences: &[Vec<Sums>], tokens: &[f64]) -> [f64; NAMES.len()] {
    let (groups, runs, all) = (tokens.len(), influences.len() as f64, tokens.iter().sum::<f64>());
    let change = |of: &[Sums], group: usize| {
        let whole = of.iter().zip(tokens).fold(Sums::default(), |sum, (one, weight)| sum.plus(*one, weight / all));
        let factor = tokens[group] / (all - tokens[group]);
        Sums::default().plus(of[group], -factor).plus(whole, factor)
    };
    let mean: Vec<Sums> =
        (0..groups).map(|group| Sums::mean(&influences.iter().map(|run| run[group]).collect::<Vec<_>>())).collect();
    let left = |of: &[Sums], group: usize| pooled.plus(change(of, group), 1.0);
    let mut each = influences.iter().map(Vec::as_slice).chain([mean.as_slice()]);
    let stays = each.all(|of| (0..groups).all(|group| left(of, group).0[2] > 0.0));
    let moved = |of: &[Sums], group: usize| match stays {
        true => left(of, group).values(),
        false => pooled.values_after(change(of, group)),
    };
    let found = spread(&(0..groups).map(|group| moved(&mean, group)).collect::<Vec<_>>());
    let mut noise = [0.0; NAMES.len()];
    for group in 0..groups {
        let of_runs = spread(&influences.iter().map(|run| moved(run, group)).collect::<Vec<_>>());
        for (sum, squares) in noise.iter_mut().zip(of_runs) {
            *sum += squares / (runs - 1.0) / runs;
        }
    }
    let share = (groups as f64 - 1.0) / groups as f64;
    std::array::from_fn(|index| statistics::error_less((found[index] * share).sqrt(), (noise[index] * share).sqrt()))
}

/// A density on a grid: each Ritz value a Gaussian of this width (a share of the range), runs averaged. Lines `eigenvalue,density`.
pub fn smoothed(runs: &[Ritz], width: f64, points: usize) -> Vec<(f64, f64)> {
    let nodes = || runs.iter().flat_map(|run| run.values.iter().zip(&run.first));
    let (low, high) = nodes().fold((f64::MAX, f64::MIN), |(low, high), (value, _)| (low.min(*value), high.max(*value)));
    let sigma = (width * (high - low)).max(f64::MIN_POSITIVE.sqrt()).max(1e-9 * high.abs());
    let (low, high) = (low - 5.0 * sigma, high + 5.0 * sigma);
    let norm = (std::f64::consts::TAU.sqrt() * sigma * runs.len() as f64).recip();
    let at = |index: usize| low + (high - low) * index as f64 / (points - 1) as f64;
    let density = |place: f64| {
        nodes().map(|(value, first)| first * first * (-0.5 * ((place - value) / sigma).powi(2)).exp()).sum::<f64>() * norm
    };
    (0..points).map(|index| (at(index), density(at(index)))).collect()
}

#[cfg(test)]
mod tests {
    use super::{Sums, over_molecules};

    #[test]
    fn slopes_are_those_of_the_values() {
        let sums = Sums::of(&[3.0, -1.0, 0.5, 0.2]);
        let change = Sums([0.3, -0.2, 0.4, 0.1, 0.25]);
        for step in [1e-3, 1e-4] {
            let (exact, first) = (sums.plus(change, step).values(), sums.values_after(Sums::default().plus(change, step)));
            let errors: Vec<f64> = exact.iter().zip(first).map(|(exact, first)| (exact - first).abs()).collect();
            assert!(errors.iter().all(|error| *error < 2.0 * step * step), "{errors:?}");
        }
    }

    #[test]
    fn a_group_that_holds_the_curvature_leaves_a_finite_error() {
        let pooled = Sums::of(&[3.0, -1.0, 0.5]);
        let part = |factor: f64| Sums::default().plus(pooled, factor);
        // Without the second group the sizes would be below 0 to first order.
        let influences = [vec![part(-2.0), part(4.0)], vec![part(-2.2), part(4.1)]];
        let errors = over_molecules(pooled, &influences, &[10.0, 10.0]);
        assert!(errors.iter().all(|error| error.is_finite() && *error >= 0.0) && errors[0] > 0.0, "{errors:?}");
    }

    #[test]
    fn values_of_known_spectra() {
        // Equal sizes: the effective rank is their number, whatever their signs.
        let [entropy, rank, negative, trace, squares] = Sums::of(&[2.0, -2.0, 2.0, 2.0, 0.0]).values();
        assert!((entropy - 4.0_f64.ln()).abs() < 1e-12 && (rank - 4.0).abs() < 1e-12);
        assert_eq!((negative, trace, squares), (0.25, 4.0, 16.0));
        // One eigenvalue: rank 1, in any unit.
        for size in [1e-6, 1.0, 7e3] {
            assert!((Sums::of(&[size, 0.0]).values()[1] - 1.0).abs() < 1e-12);
        }
    }
}

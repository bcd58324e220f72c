//! Axes of figures: the range, round ticks, and where a value lies.

/// From values to places along a line of pixels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    /// Ends, as logarithms on a logarithmic axis.
    low: f64,
    high: f64,
    /// Pixels of the ends.
    from: f64,
    to: f64,
    /// Whether it is logarithmic (base 10).
    pub logarithmic: bool,
    /// Ticks: value and its label.
    pub ticks: Vec<(f64, String)>,
}

/// Positive values that span more than this are drawn on a logarithmic axis.
const WIDE: f64 = 30.0;

/// Values beyond this lie at the ends, and a range narrower than the second is drawn as one value.
const FARTHEST: f64 = 1e300;
const NARROWEST: f64 = 1e-300;

impl Axis {
    /// An axis that holds the values and the ends of their error bars. Values that are not finite are left out; without any
    /// the axis is 0 to 1.
    pub fn over(values: &[(f64, f64)], from: f64, to: f64) -> Self {
        let centres = || values.iter().map(|(value, _)| *value).filter(|value| value.is_finite());
        let (least, most) = (centres().fold(f64::INFINITY, f64::min), centres().fold(f64::NEG_INFINITY, f64::max));
        if least > 0.0 && most / least > WIDE {
            return Self::logarithmic(least, most, from, to);
        }
        Self::linear_over(values, from, to)
    }

    /// The same, never logarithmic.
    pub fn linear_over(values: &[(f64, f64)], from: f64, to: f64) -> Self {
        let centres = || values.iter().map(|(value, _)| *value).filter(|value| value.is_finite());
        let (least, most) = (centres().fold(f64::INFINITY, f64::min), centres().fold(f64::NEG_INFINITY, f64::max));
        if least > most {
            return Self::linear(0.0, 1.0, from, to);
        }
        let errors = || values.iter().filter(|(value, error)| value.is_finite() && error.is_finite());
        let low = errors().map(|(value, error)| value - error).fold(least, f64::min);
        let high = errors().map(|(value, error)| value + error).fold(most, f64::max);
        Self::linear(low, high, from, to)
    }

    /// From `low` to `high`, with a little room at both ends.
    pub fn linear(low: f64, high: f64, from: f64, to: f64) -> Self {
        // Farther away a range is no longer finite.
        let (low, high) = (low.clamp(-FARTHEST, FARTHEST), high.clamp(-FARTHEST, FARTHEST));
        let wide = if high - low > NARROWEST { high - low } else { low.abs().max(1.0) };
        let (low, high) = (low - 0.05 * wide, high + 0.05 * wide);
        Self { low, high, from, to, logarithmic: false, ticks: round_ticks(low, high) }
    }

    /// A logarithmic axis (base 10) over the positive values; linear if there is none. Ends of error bars widen it where they are positive.
    pub fn logarithmic_over(values: &[(f64, f64)], from: f64, to: f64) -> Self {
        let ends = values.iter().flat_map(|(value, error)| {
            let error = if error.is_finite() { *error } else { 0.0 };
            [*value, value - error, value + error]
        });
        let positive = || ends.clone().filter(|value| value.is_finite() && *value > 0.0);
        let (least, most) = (positive().fold(f64::INFINITY, f64::min), positive().fold(f64::NEG_INFINITY, f64::max));
        if least > most {
            return Self::linear_over(values, from, to);
        }
        Self::logarithmic(least, most, from, to)
    }

    fn logarithmic(least: f64, most: f64, from: f64, to: f64) -> Self {
        let (low, high) = (least.log10(), most.log10());
        let room = if high > low { 0.05 * (high - low) } else { 0.1 };
        let (low, high) = (low - room, high + room);
        let inside = |value: &f64| (low..=high).contains(&value.log10());
        let powers = (low.floor() as i32)..=(high.ceil() as i32);
        let whole: Vec<f64> = powers.clone().map(|power| 10f64.powi(power)).filter(inside).collect();
        let ticks: Vec<f64> = match whole.len() {
            0..=2 => {
                let finer = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
                finer.filter(inside).collect()
            }
            count => {
                let step = count / 6 + 1;
                whole.into_iter().filter(|value| (value.log10().round() as i64).rem_euclid(step as i64) == 0).collect()
            }
        };
        let mut ticks: Vec<(f64, String)> = match ticks.iter().all(|value| (1e-3..1e5).contains(value)) {
            true => ticks.into_iter().map(|value| (value, short(value, value))).collect(),
            false => ticks.into_iter().map(|value| (value, format!("{value:.0e}"))).collect(),
        };
        if ticks.len() < 2 {
            ticks = round_ticks(10f64.powf(low), 10f64.powf(high));
        }
        Self { low, high, from, to, logarithmic: true, ticks }
    }

    /// The pixel of a value, held to the axis.
    pub fn place(&self, value: f64) -> f64 {
        let value = match self.logarithmic {
            true if value > 0.0 => value.log10(),
            true => self.low,
            false => value,
        };
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        ((self.from + share * (self.to - self.from)) * 10.0).round() / 10.0
    }
}

/// Three to seven ticks at 1, 2 or 5 times a power of ten.
fn round_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough).unwrap_or(power);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last.min(first.saturating_add(12)))
        .map(|index| index as f64 * step)
        .map(|value| (value, short(value, step)))
        .collect()
}

/// A number in few characters, exact to the step between ticks.
pub(crate) fn short(value: f64, step: f64) -> String {
    let size = value.abs().max(step.abs());
    if !(1e-3..1e5).contains(&size) {
        if value == 0.0 {
            return "0".to_owned();
        }
        // A digit more where the step asks for it.
        let digits = (value.abs().log10().floor() - step.abs().log10().floor()).clamp(0.0, 3.0) as usize;
        return format!("{value:.digits$e}");
    }
    let digits = (-step.abs().log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.digits$}");
    if text.trim_start_matches('-').chars().all(|digit| matches!(digit, '0' | '.')) {
        text.trim_start_matches('-').to_owned()
    } else {
        text
    }
}

/// A value and its standard error, to a tenth of the error.
pub(crate) fn with_error((value, error): (f64, f64)) -> String {
    let step = if error > 0.0 && error.is_finite() { error / 10.0 } else { value.abs().max(1e-9) / 1e4 };
    let value = short(value, step);
    if error > 0.0 && error.is_finite() { format!("{value} ± {}", short(error, step)) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(labels(&Axis::linear(-1.0, 1.0, 0.0, 100.0)), ["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(&Axis::over(&[(1.512, 0.02), (1.71, 0.02)], 0.0, 100.0)), ["1.5", "1.6", "1.7"]);
        for (low, high) in
            [(0.0, 1e-9), (3.0, 3.0), (-5e12, 7e12), (0.0, 0.0), (-1.7e308, 1.7e308), (5e-324, 1e-323), (-1e-310, 1e-310)]
        {
            let axis = Axis::over(&[(low, 0.0), (high, 0.0)], 0.0, 100.0);
            assert!((2..=13).contains(&axis.ticks.len()), "{low} {high}: {axis:?}");
            assert!([low, high].iter().all(|value| (0.0..=100.0).contains(&axis.place(*value))), "{low} {high}: {axis:?}");
            assert!(axis.ticks.iter().all(|(value, label)| value.is_finite() && label.len() < 12), "{axis:?}");
        }
    }

    #[test]
    fn wide_positive_values_are_logarithmic() {
        let axis = Axis::over(&[(6e4, 0.0), (4.8e6, 0.0)], 0.0, 100.0);
        assert!(axis.logarithmic);
        assert_eq!(labels(&axis), ["5e4", "1e5", "2e5", "5e5", "1e6", "2e6", "5e6"]);
        assert!(axis.place(6e4) > 0.0 && axis.place(4.8e6) < 100.0 && axis.place(-1.0) == 0.0);
    }

    #[test]
    fn logarithmic_axes_have_ticks_however_narrow_or_wide_they_are() {
        let axis = |values: &[(f64, f64)]| Axis::logarithmic_over(values, 0.0, 100.0);
        assert_eq!(labels(&axis(&[(1.0, 0.0), (100.0, 0.0)])), ["1", "10", "100"]);
        assert_eq!(
            labels(&axis(&[(1e-9, 0.0), (1e6, 0.0), (-1.0, 0.0), (f64::NAN, 0.0)])),
            ["1e-9", "1e-6", "1e-3", "1e0", "1e3", "1e6"]
        );
        assert!((2..=9).contains(&axis(&[(2.1, 0.05), (2.4, 0.05)]).ticks.len()));
        assert!(axis(&[(3.0, 0.0)]).place(3.0) == 50.0);
        // 10 is half way from 1 to 100.
        assert_eq!(axis(&[(1.0, 0.0), (100.0, 0.0)]).place(10.0), 50.0);
        assert!(!axis(&[(-1.0, 0.0)]).logarithmic);
    }

    #[test]
    fn errors_stand_beside_their_values() {
        let shown = [(1.5, 0.1), (2.0, 0.0), (3.0, f64::NAN), (1234.5, 20.0)].map(with_error);
        assert_eq!(shown, ["1.50 ± 0.10", "2.0000", "3.0000", "1234 ± 20"]);
    }

    #[test]
    fn values_that_are_no_numbers_move_nothing() {
        let axis = Axis::over(&[(f64::NAN, 1.0), (1.0, f64::NAN), (2.0, 0.5), (f64::INFINITY, 0.0)], 0.0, 100.0);
        assert_eq!(axis, Axis::over(&[(1.0, 0.0), (2.0, 0.5)], 0.0, 100.0));
        assert_eq!(Axis::over(&[], 10.0, 20.0).place(0.5), 15.0);
    }
}

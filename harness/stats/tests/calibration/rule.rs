//! The rule of two stages, declared before anything is simulated.
//!
//! A share that must be in its band passes the first stage if it is no more than two of its Monte-Carlo standard errors outside the band.
//! One that does not is simulated again with four times the simulations on a stream of its own, none of the first draws among them. The
//! second stage alone decides, and allows three of its own standard errors, one and a half of the first stage's. So a right method is seldom
//! refused though hundreds of shares are looked at, and a wrong one has to be lucky once or near enough to its band that it hardly matters.

use statrs::distribution::{Binomial, DiscreteCDF};

/// Standard errors by which a share may miss its band in the first stage.
pub const FIRST: f64 = 2.0;
/// The same in the second.
pub const SECOND: f64 = 3.0;
/// Simulations of the second stage for one of the first.
pub const TIMES: usize = 4;

/// A share of what only some simulations have (an interval that exists) must be in its band where at least one in this many of those drawn has
/// it; of fewer it only informs, since its error is too large to refuse anything.
pub const ONE_IN: usize = 10;

/// Standard error of a share.
pub fn error(share: f64, simulations: usize) -> f64 {
    (share * (1.0 - share) / simulations as f64).sqrt()
}

/// The shares that pass a stage.
pub fn accepted((low, high): (f64, f64), allowed: f64, simulations: usize) -> (f64, f64) {
    (low - allowed * error(low, simulations), high + allowed * error(high, simulations))
}

/// Probability that a method whose true share is `truth` is refused, by the exact binomial distribution of both stages.
pub fn refused(truth: f64, band: (f64, f64), simulations: usize) -> f64 {
    let outside = |allowed: f64, simulations: usize| {
        let (low, high) = accepted(band, allowed, simulations);
        if truth <= 0.0 || truth >= 1.0 {
            return f64::from(u8::from(truth < low || truth > high));
        }
        let binomial = Binomial::new(truth, simulations as u64).unwrap();
        let most = (high * simulations as f64 + 1e-9).floor().max(0.0) as u64;
        let least = (low * simulations as f64 - 1e-9).ceil().max(0.0) as u64;
        let below = if least == 0 { 0.0 } else { binomial.cdf(least - 1) };
        below + if most >= simulations as u64 { 0.0 } else { binomial.sf(most) }
    };
    outside(FIRST, simulations) * outside(SECOND, TIMES * simulations)
}

/// The largest probability that a right method is refused: its true share is at an end of the band.
pub fn false_alarm(band: (f64, f64), simulations: usize) -> f64 {
    refused(band.0, band, simulations).max(refused(band.1, band, simulations))
}

#[test]
fn right_methods_pass_and_wrong_ones_do_not() {
    for (band, simulations) in [((0.0, 0.05), 4_000), ((0.93, 0.97), 4_000), ((0.0, 0.025), 4_000), ((0.93, 1.0), 1_000)] {
        // At the very end of the band: P(Z > 2) P(Z > 3) = 3.1e-5 of normal shares, somewhat more of binomial ones.
        let right = false_alarm(band, simulations);
        assert!(right > 1e-6 && right < 2e-4, "{band:?}: {right}");
        // Four standard errors of the first stage beyond an end: 1.4 points of a test of 5 % by 4,000 simulations.
        for wrong in [band.0 - 4.0 * error(band.0, simulations), band.1 + 4.0 * error(band.1, simulations)] {
            if wrong != band.0 && wrong != band.1 {
                assert!(refused(wrong, band, simulations) > 0.94, "{band:?} {wrong}: {}", refused(wrong, band, simulations));
            }
        }
    }
    // A test of size 8 % or an interval that covers 91 % is never let through; nor what has no share at all.
    assert!(refused(0.08, (0.0, 0.05), 4_000) > 0.999_999);
    assert!(refused(0.91, (0.93, 0.97), 4_000) > 0.995);
    assert_eq!(refused(1.0, (0.93, 0.97), 4_000), 1.0);
    // With 200 simulations: what is far off.
    assert!(refused(0.8, (0.93, 0.97), 200) > 0.99 && refused(0.2, (0.0, 0.05), 200) > 0.99);
}

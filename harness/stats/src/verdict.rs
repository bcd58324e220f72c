//! What may be said about a predictor, and nothing more.

use serde::Serialize;

use crate::{bootstrap::Interval, refusal::Refusal};

/// Below this many runs a fit is refused.
pub const SMALLEST_N_FOR_FIT: usize = 4;
/// Below this many runs the verdict is `cannot_tell`.
pub const SMALLEST_N_FOR_VERDICT: usize = 8;
/// Level of the Holm-adjusted p.
pub const SIGNIFICANCE: f64 = 0.05;

/// The verdict on a metric as a predictor of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No fit: fewer than 4 runs, a constant column, ...
    Refused,
    /// The design is too small or the data undecided.
    CannotTell,
    /// A useful effect is ruled out, or the relation is significant the wrong way round.
    DoesNotPredict,
    /// The relation is significant in the claimed direction and its interval lies above 0.
    Predicts,
}

impl Verdict {
    /// The stored word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::CannotTell => "cannot_tell",
            Self::DoesNotPredict => "does_not_predict",
            Self::Predicts => "predicts",
        }
    }
}

/// What a verdict rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Independent runs.
    pub n: usize,
    /// Oriented Spearman over runs, or why there is none.
    pub spearman: Result<f64, Refusal>,
    /// Its interval over runs, or why there is none.
    pub interval: Result<Interval, Refusal>,
    /// Holm-adjusted permutation p; none where the family is empty.
    pub holm_p: Option<f64>,
    /// Smallest |Spearman| that would be of use.
    pub useful_effect: f64,
}

/// A verdict and its reason in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Significant in the direction opposite to the claim.
    pub reversed: bool,
    /// One sentence.
    pub reason: String,
    /// Why there is no fit, for the verdict `refused`.
    pub refusal: Option<Refusal>,
}

/// The rule, in this order: `refused` without a correlation or below 4 runs; `cannot_tell` below 8 runs;
/// `does_not_predict` (reversed) if the Holm p is at most .05 and r is negative; `does_not_predict` if the upper end of
/// the 90 % interval is below the useful effect; `predicts` if the Holm p is at most .05 and the lower 95 % end is above
/// 0; else `cannot_tell`.
pub fn judge(evidence: &Evidence) -> Judgement {
    let say = |verdict, reversed, reason: String| Judgement { verdict, reversed, reason, refusal: None };
    let refuse = |refusal: Refusal| Judgement {
        verdict: Verdict::Refused,
        reversed: false,
        reason: refusal.to_string(),
        refusal: Some(refusal),
    };
    let n = evidence.n;
    let spearman = match &evidence.spearman {
        Err(refusal) => return refuse(refusal.clone()),
        Ok(_) if n < SMALLEST_N_FOR_FIT => {
            return refuse(Refusal::TooFew { what: "a fit".to_owned(), n, needed: SMALLEST_N_FOR_FIT });
        }
        Ok(spearman) => *spearman,
    };
    if n < SMALLEST_N_FOR_VERDICT {
        let reason = format!("a verdict needs {SMALLEST_N_FOR_VERDICT} runs and has {n}");
        return say(Verdict::CannotTell, false, reason);
    }
    let significant = evidence.holm_p.is_some_and(|p| p <= SIGNIFICANCE);
    if significant && spearman < 0.0 {
        let reason = "significant in the direction opposite to the claim".to_owned();
        return say(Verdict::DoesNotPredict, true, reason);
    }
    let useful = evidence.useful_effect;
    match &evidence.interval {
        Err(refusal) => say(Verdict::CannotTell, false, refusal.to_string()),
        Ok(interval) if interval.high90 < useful => {
            let reason =
                format!("the upper end of the 90 % interval, {:.2}, is below the useful effect {useful}", interval.high90);
            say(Verdict::DoesNotPredict, false, reason)
        }
        Ok(interval) if significant && interval.low95 > 0.0 => {
            let reason = format!("Holm p at most {SIGNIFICANCE} and the lower 95 % end, {:.2}, above 0", interval.low95);
            say(Verdict::Predicts, false, reason)
        }
        Ok(interval) if interval.low95 > 0.0 => {
            let holm = match evidence.holm_p {
                Some(p) => format!("Holm p = {p:.3} is above {SIGNIFICANCE}"),
                None => "there is no p-value".to_owned(),
            };
            say(Verdict::CannotTell, false, format!("{holm}, though the lower 95 % end, {:.2}, is above 0", interval.low95))
        }
        Ok(interval) => {
            let reason =
                format!("the interval [{:.2}, {:.2}] holds both useless and useful effects", interval.low95, interval.high95);
            say(Verdict::CannotTell, false, reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(n: usize, r: f64, low95: f64, high90: f64, p: f64) -> Evidence {
        let interval = Interval { low90: low95, high90, low95, high95: high90, resamples: 1, degenerate: 0 };
        Evidence { n, spearman: Ok(r), interval: Ok(interval), holm_p: Some(p), useful_effect: 0.5 }
    }

    #[test]
    fn each_line_of_the_rule() {
        let verdict = |evidence: &Evidence| {
            let found = judge(evidence);
            (found.verdict, found.reversed)
        };
        assert_eq!(verdict(&evidence(3, 1.0, 0.9, 1.0, 0.01)), (Verdict::Refused, false));
        assert_eq!(verdict(&evidence(7, 1.0, 0.9, 1.0, 0.001)), (Verdict::CannotTell, false));
        assert_eq!(verdict(&evidence(24, 0.1, -0.2, 0.49, 0.6)), (Verdict::DoesNotPredict, false));
        // Significant but too small to be of use: the useful effect is ruled out first.
        assert_eq!(verdict(&evidence(99, 0.3, 0.1, 0.45, 0.01)), (Verdict::DoesNotPredict, false));
        assert_eq!(verdict(&evidence(24, 0.7, 0.4, 0.9, 0.05)), (Verdict::Predicts, false));
        assert_eq!(verdict(&evidence(24, 0.7, 0.4, 0.9, 0.051)), (Verdict::CannotTell, false));
        assert_eq!(verdict(&evidence(24, 0.7, -0.01, 0.9, 0.01)), (Verdict::CannotTell, false));
        assert_eq!(verdict(&evidence(24, -0.8, -0.9, -0.5, 0.01)), (Verdict::DoesNotPredict, true));
        assert_eq!(verdict(&evidence(24, -0.4, -0.9, 0.6, 0.2)), (Verdict::CannotTell, false));
        // At exactly 8 runs a verdict is possible.
        assert_eq!(verdict(&evidence(8, 0.95, 0.6, 1.0, 0.01)), (Verdict::Predicts, false));
    }

    #[test]
    fn the_reason_is_the_part_of_the_rule_that_failed() {
        let reason = |low95, p| judge(&evidence(24, 0.7, low95, 0.9, p)).reason;
        assert_eq!(reason(0.4, 0.073), "Holm p = 0.073 is above 0.05, though the lower 95 % end, 0.40, is above 0");
        assert_eq!(reason(-0.1, 0.01), "the interval [-0.10, 0.90] holds both useless and useful effects");
    }

    #[test]
    fn a_refused_correlation_says_why() {
        let mut constant = evidence(12, 0.0, 0.0, 0.0, 1.0);
        constant.spearman = Err(Refusal::Constant { name: "metric".into() });
        let found = judge(&constant);
        assert_eq!(found.verdict, Verdict::Refused);
        assert!(found.reason.contains("`metric`"), "{}", found.reason);
        assert_eq!(found.refusal.map(|refusal| refusal.word()), Some("constant"));
        let three = judge(&evidence(3, 1.0, 0.9, 1.0, 0.01));
        assert_eq!(three.refusal.map(|refusal| refusal.word()), Some("too_few"));
        let mut none = evidence(12, 0.9, 0.0, 0.0, 0.01);
        none.interval = Err(Refusal::Degenerate { usable: 3, draws: 10 });
        assert_eq!(judge(&none).verdict, Verdict::CannotTell);
    }
}

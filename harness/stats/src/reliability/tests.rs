//! Reliabilities by hand, by simulation, and of resamples written out.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::seed::{generator, normal};

#[test]
fn by_hand() {
    // Variance 5/3, mean squared error .25.
    let found = reliability_from_errors(&[1.0, 2.0, 3.0, 4.0], &[0.5; 4]).unwrap();
    assert!((found - 0.85).abs() < 1e-12);
    assert_eq!(reliability_from_errors(&[1.0, 2.0, 3.0], &[5.0; 3]).unwrap(), 0.0, "a negative one is 0");
    assert!((disattenuated(0.4, 0.64, 0.25).unwrap() - 1.0).abs() < 1e-12);
    let refused = disattenuated(0.4, 0.64, 0.05);
    assert_eq!(refused, Err(Refusal::Unreliable { name: "score".into(), value: 0.05, needed: 0.1 }));
}

#[test]
fn what_never_varies_over_seeds_is_wholly_reliable() {
    let groups = [0, 0, 1, 1, 2, 2];
    assert_eq!(intraclass_correlation(&[1.0, 1.0, 2.0, 2.0, 4.0, 4.0], &groups), Ok(1.0));
    assert_eq!(intraclass_correlation(&[1.0, 2.0, 1.0, 2.0, 1.0, 2.0], &groups), Ok(0.0));
    let alone = intraclass_correlation(&[1.0, 2.0, 3.0], &[0, 1, 2]);
    assert!(matches!(alone, Err(Refusal::NoValues { .. })));
    assert!(matches!(intraclass_correlation(&[1.0, 2.0], &[0, 0]), Err(Refusal::TooFew { n: 1, needed: 2, .. })));
}

#[test]
fn counts_are_copies() {
    let mut rng = generator(15, "copies");
    let groups = [0, 0, 1, 1, 2, 3, 3, 3, 4, 4];
    let mut column = |values: u32| (0..10).map(|_| f64::from(rng.random_range(0..values))).collect::<Vec<f64>>();
    let (metric, score, errors) = (column(1_000), column(6), column(3));
    let noisy = Noisy { metric: &metric, metric_errors: &errors, score: &score, score_errors: &errors, groups: &groups };
    for source in [Source::Seeds, Source::Errors] {
        let resampled = Resampled::new(&noisy, source);
        for _ in 0..200 {
            let drawn = resampled_counts(resampled.units.len(), &mut rng);
            // Run and number of the configuration that it stands for.
            let copies = resampled.units.iter().zip(&drawn).flat_map(|(unit, count)| vec![unit; *count as usize]);
            let written: Vec<(usize, usize)> =
                copies.enumerate().flat_map(|(copy, unit)| unit.iter().map(move |run| (*run, copy))).collect();
            let pick = |values: &[f64]| written.iter().map(|(run, _)| values[*run]).collect::<Vec<f64>>();
            let (metric, score, errors) = (pick(&metric), pick(&score), pick(&errors));
            let groups: Vec<usize> = written.iter().map(|(_, copy)| *copy).collect();
            let expected =
                Noisy { metric: &metric, metric_errors: &errors, score: &score, score_errors: &errors, groups: &groups };
            match (resampled.attenuation(&drawn), expected.attenuation(source).ok()) {
                (Some(found), Some(expected)) => {
                    let close =
                        |found: f64, expected: f64| (found - expected).abs() < 1e-9 || found.is_nan() && expected.is_nan();
                    assert!(close(found.metric, expected.metric) && close(found.score, expected.score), "{found:?} {expected:?}");
                    assert!(close(found.ceiling, expected.ceiling) && close(found.r, expected.r), "{found:?} {expected:?}");
                }
                (found, expected) => assert_eq!(found, expected),
            }
        }
    }
}

/// Configurations of two seeds, true correlation .8 between them, known noise.
#[test]
fn both_sources_find_the_correlation_without_noise() {
    let mut rng = generator(12, "attenuation");
    let (configurations, noise) = (400, 0.7);
    let (mut metric, mut score, mut groups) = (vec![], vec![], vec![]);
    for configuration in 0..configurations {
        let x = normal(&mut rng);
        let y = 0.8 * x + 0.6 * normal(&mut rng);
        for _ in 0..2 {
            metric.push(x + noise * normal(&mut rng));
            score.push(y + noise * normal(&mut rng));
            groups.push(configuration);
        }
    }
    let errors = vec![noise; metric.len()];
    let noisy = Noisy { metric: &metric, metric_errors: &errors, score: &score, score_errors: &errors, groups: &groups };
    // Spearman's rho of normal columns with correlation .8 is .786.
    for source in [Source::Seeds, Source::Errors] {
        let found = noisy.attenuation(source).unwrap();
        assert!((found.metric - 1.0 / 1.49).abs() < 0.06 && (found.score - 1.0 / 1.49).abs() < 0.06, "{found:?}");
        assert!((found.r - 0.78).abs() < 0.08, "{found:?}");
    }
    let some = Noisy {
        metric: &metric[..40],
        metric_errors: &errors[..40],
        score: &score[..40],
        score_errors: &errors[..40],
        groups: &groups[..40],
    };
    for source in [Source::Seeds, Source::Errors] {
        let estimate = some.attenuation(source).unwrap();
        let intervals = attenuation_intervals(&some, source, &mut generator(1, "i")).unwrap();
        let (r, ceiling) = (intervals.r.unwrap(), intervals.ceiling.unwrap());
        assert!(r.low95 <= estimate.r && estimate.r <= r.high95 && r.high95 > r.low95 + 0.1, "{r:?}");
        assert!(ceiling.low95 < estimate.ceiling && ceiling.high95 <= 1.0, "{ceiling:?}");
    }
    let few = Noisy {
        metric: &metric[..14],
        metric_errors: &errors[..14],
        score: &score[..14],
        score_errors: &errors[..14],
        groups: &groups[..14],
    };
    let refused = attenuation_intervals(&few, Source::Seeds, &mut generator(1, "i"));
    assert!(matches!(refused, Err(Refusal::TooFew { n: 7, needed: 8, .. })), "seven configurations of two");
}

#![allow(clippy::unwrap_used)]
use rand::Rng;
use statrs::distribution::{ContinuousCDF, Normal};

use super::*;
use crate::{delong_paired, generator, seed::normal};

/// Regression whose RMSE is `errors[run][seed]` in every resample: all uncertainty is of the seeds.
fn exact(errors: &[&[f64]]) -> GatePredictions {
    errors
        .iter()
        .map(|seeds| seeds.iter().map(|error| labels(40).iter().map(|label| label + error).collect()).collect())
        .collect()
}

fn labels(n: usize) -> Vec<f64> {
    (0..n).map(|row| (row % 7) as f64).collect()
}

fn task(
    score: ScoreName,
    margin: f64,
    labels: Vec<f64>,
    baseline: GatePredictions,
    candidate: GatePredictions,
) -> TaskComparison {
    TaskComparison {
        score,
        margin,
        seeds: TransferSeeds::None,
        block: 0,
        places: (0..labels.len()).collect(),
        labels,
        baseline,
        candidate,
    }
}

fn rmse(margin: f64, seeded: bool, baseline: &[&[f64]], candidate: &[&[f64]]) -> TaskComparison {
    let seeds = if seeded { TransferSeeds::Unpaired } else { TransferSeeds::None };
    TaskComparison { seeds, ..task(ScoreName::Rmse, margin, labels(40), exact(baseline), exact(candidate)) }
}

/// Classes by row, and predictions that separate them by `shift`, with noise of which the share `shared` is that of all sides.
fn classified(n: usize, shift: f64, shared: &[f64], rng: &mut impl Rng) -> Vec<f64> {
    (0..n).map(|row| shared[row] + 0.5 * normal(rng) + if row % 3 == 0 { shift } else { 0.0 }).collect()
}

fn classes(n: usize) -> Vec<f64> {
    (0..n).map(|row| f64::from(u8::from(row % 3 == 0))).collect()
}

fn two_auc(n: usize, first: f64, second: f64, label: &str) -> (Vec<f64>, Vec<f64>) {
    let mut rng = generator(11, label);
    let shared: Vec<f64> = (0..n).map(|_| normal(&mut rng)).collect();
    (classified(n, first, &shared, &mut rng), classified(n, second, &shared, &mut rng))
}

#[test]
fn without_seeds_the_interval_is_about_that_of_delong() {
    let (baseline, candidate) = two_auc(400, 1.2, 1.0, "delong");
    let of_class: Vec<bool> = classes(400).iter().map(|label| *label > 0.5).collect();
    let (a, b, covariance) = delong_paired(&of_class, &baseline, &candidate).unwrap();
    let se = (covariance[0][0] + covariance[1][1] - 2.0 * covariance[0][1]).sqrt();
    let found = judge_task(task(ScoreName::RocAuc, 0.02, classes(400), vec![vec![baseline]], vec![vec![candidate]]));
    let estimate = found.estimate.unwrap();
    assert!((estimate.difference - (b - a)).abs() < 1e-12);
    assert!((estimate.se_test / se - 1.0).abs() < 0.08, "{} {se}", estimate.se_test);
    let (low, high) = (b - a - 1.96 * se, b - a + 1.96 * se);
    assert!((estimate.low95 - low).abs() < 0.25 * se && (estimate.high95 - high).abs() < 0.25 * se, "{estimate:?} {low} {high}");
    let p = Normal::new(0.0, 1.0).unwrap().cdf((b - a) / se);
    assert!((estimate.p_worse - p).abs() < 0.02, "{} {p}", estimate.p_worse);
    assert_eq!(estimate.se_seed, None);
}

#[test]
fn with_seeds_the_interval_is_that_of_welch() {
    // scipy.stats.ttest_ind(baseline, candidate, equal_var=False): both ends, p of alternative = "less", degrees of freedom.
    const WELCH: (f64, f64, f64, f64) =
        (-0.110_590_325_586_931_05, -0.037_743_007_746_402_386, 0.001_686_667_551_792_894_8, 4.996_769_368_830_393);
    let baseline: &[f64] = &[0.60, 0.63, 0.61];
    let candidate: &[f64] = &[0.70, 0.66, 0.71, 0.68];
    for found in [
        judge_task(rmse(0.02, true, &[baseline], &[candidate])),
        judge_task(rmse(0.02, false, &[&[0.60], &[0.63], &[0.61]], &[&[0.70], &[0.66], &[0.71], &[0.68]])),
    ] {
        let estimate = found.estimate.unwrap();
        let close = |left: f64, right: f64| assert!((left - right).abs() < 1e-9, "{left} {right}");
        close(estimate.difference, -0.074_166_666_666_666_67);
        assert!(estimate.se_test < 1e-12);
        close(estimate.low95, WELCH.0);
        close(estimate.high95, WELCH.1);
        close(estimate.p_worse, WELCH.2);
        close(estimate.degrees_of_freedom.unwrap(), WELCH.3);
        assert_eq!(found.verdict, GateVerdict::Worse);
    }
}

/// Makes a task of a margin and the errors of both sides.
type Make = fn(f64, &[&[f64]], &[&[f64]]) -> TaskComparison;

/// As [`rmse`], with the same transfer seeds on both sides.
fn paired(margin: f64, baseline: &[&[f64]], candidate: &[&[f64]]) -> TaskComparison {
    TaskComparison { seeds: TransferSeeds::Paired, ..rmse(margin, true, baseline, candidate) }
}

#[test]
fn with_the_same_seeds_the_interval_is_that_of_the_paired_t_test() {
    // scipy.stats.ttest_rel(baseline, candidate): both ends, p of alternative = "less"; 3 degrees of freedom.
    const PAIRED: (f64, f64, f64) = (-0.126_656_160_459_743_87, -0.018_343_839_540_256_077, 0.011_858_274_816_786_61);
    let (baseline, candidate): (&[f64], &[f64]) = (&[0.60, 0.63, 0.61, 0.66], &[0.70, 0.66, 0.71, 0.72]);
    let close = |left: f64, right: f64| assert!((left - right).abs() < 1e-9, "{left} {right}");
    // A second run of each side, moved by each seed as the first is: the same differences seed by seed.
    let moved = |seeds: &[f64]| seeds.iter().map(|error| error + 0.1).collect::<Vec<f64>>();
    let (other_baseline, other_candidate) = (moved(baseline), moved(candidate));
    for found in [
        judge_task(paired(0.02, &[baseline], &[candidate])),
        judge_task(paired(0.02, &[baseline, &other_baseline], &[candidate, &other_candidate])),
    ] {
        let estimate = found.estimate.unwrap();
        close(estimate.difference, -0.0725);
        close(estimate.low95, PAIRED.0);
        close(estimate.high95, PAIRED.1);
        close(estimate.p_worse, PAIRED.2);
        close(estimate.degrees_of_freedom.unwrap(), 3.0);
    }
    // What is the same at every seed is the same, however far seeds move both; without pairing that would not be known.
    let same = judge_task(paired(0.02, &[baseline], &[baseline]));
    assert_eq!((same.verdict, same.estimate.unwrap().se_seed), (GateVerdict::NotWorse, Some(0.0)));
    assert_eq!(judge_task(rmse(0.02, true, &[baseline], &[baseline])).verdict, GateVerdict::CannotTell);
    // Runs of one side with other seeds: at most the mean of their standard errors, sqrt(5/3) / 200 of four errors a hundredth apart
    // and 1 / (100 sqrt(3)) of three.
    let scattered = |first: f64, count: i32| (0..count).map(|seed| first + 0.01 * f64::from(seed)).collect::<Vec<f64>>();
    let (four, three) = (scattered(0.6, 4), scattered(0.7, 3));
    let mixed =
        judge_task(TaskComparison { seeds: TransferSeeds::Mixed, ..rmse(0.02, true, &[&four, &three], &[&four, &three]) });
    let mean = ((5.0f64 / 3.0).sqrt() / 200.0 + 1.0 / (100.0 * 3.0f64.sqrt())) / 2.0;
    close(mixed.estimate.unwrap().se_seed.unwrap(), mean * 2.0f64.sqrt());
    // Numbers that differ cannot be pairs, whatever is said.
    let unlike = |make: Make| judge_task(make(0.02, &[baseline], &[&candidate[..3]]));
    assert_eq!(unlike(paired), unlike(|margin, baseline, candidate| rmse(margin, true, baseline, candidate)));
    // Seeds that both sides lack: each seed more is one on both.
    let spread: &[f64] = &[0.60, 0.63, 0.57];
    let Some(Settle::Seeds { each, more_of_baseline, more_of_candidate }) =
        judge_task(paired(0.02, &[spread], &[&[0.61, 0.60, 0.60]])).settle
    else {
        panic!()
    };
    assert_eq!((more_of_baseline, more_of_candidate), (each - 3, each - 3));
}

/// Equal models over seeds that move both alike (the same ones) or apart (others): how often the interval holds 0.
#[test]
fn the_variance_over_seeds_is_right_with_the_same_and_with_other_seeds() {
    const DRAWS: usize = 1_000;
    let mut rng = generator(5, "seeds of a gate");
    let mut covered = |shared: f64, numbers: [usize; 2], make: Make| {
        let mut count = 0;
        for _ in 0..DRAWS {
            let common: Vec<f64> = (0..numbers[0].max(numbers[1])).map(|_| normal(&mut rng)).collect();
            let mut side = |number: usize| -> Vec<f64> {
                let own = |seed: &f64| 0.6 + 0.02 * (shared.sqrt() * seed + (1.0 - shared).sqrt() * normal(&mut rng));
                common[..number].iter().map(own).collect()
            };
            let (baseline, candidate) = (side(numbers[0]), side(numbers[1]));
            let estimate = judge_task(make(0.02, &[&baseline], &[&candidate])).estimate.unwrap();
            count += usize::from(estimate.low95 <= 0.0 && estimate.high95 >= 0.0);
        }
        count as f64 / DRAWS as f64
    };
    let unpaired: Make = |margin, first, second| rmse(margin, true, first, second);
    // 95 % within 3 standard errors of 1,000 draws (.7 %); Welch at 3 and 3 is known to be a little wide.
    let right = |share: f64| assert!((0.929..=0.975).contains(&share), "{share}");
    right(covered(0.8, [3, 3], paired));
    right(covered(0.0, [3, 3], paired));
    right(covered(0.0, [3, 3], unpaired));
    right(covered(0.0, [3, 5], unpaired));
    // Some seeds of both: cautious.
    assert!(covered(0.8, [3, 5], unpaired) > 0.96);
    assert!(covered(0.8, [3, 3], unpaired) > 0.98);
}

#[test]
fn claims_need_three_runs_on_each_side() {
    let judge = |baseline: &[&[f64]], candidate: &[&[f64]]| {
        let group = GateGroup { molecules: 40, tasks: vec![Ok(rmse(0.02, false, baseline, candidate))] };
        judge_gate(&[group], &[])
    };
    let three: &[&[f64]] = &[&[0.60], &[0.61], &[0.62]];
    assert_eq!(judge(three, three).claim, Claim::Recipe);
    let of_checkpoint = judge(three, &three[..1]);
    assert_eq!(of_checkpoint.claim, Claim::Checkpoint);
    assert_eq!(of_checkpoint.tasks[0].estimate.as_ref().unwrap().se_seed, None, "a closed-form probe has no seeds");
}

#[test]
fn the_rule_in_its_order() {
    let of = |low95: f64, high95: f64| Estimate {
        difference: (low95 + high95) / 2.0,
        low95,
        high95,
        se_test: 0.0,
        se_seed: None,
        degrees_of_freedom: None,
        p_worse: 0.5,
    };
    assert_eq!(verdict(&of(-0.01, 0.03), 0.02), GateVerdict::NotWorse);
    // Surely worse, and surely by less than the margin: not worse wins.
    assert_eq!(verdict(&of(-0.015, -0.005), 0.02), GateVerdict::NotWorse);
    assert_eq!(verdict(&of(-0.05, -0.001), 0.02), GateVerdict::Worse);
    assert_eq!(verdict(&of(-0.02, 0.01), 0.02), GateVerdict::CannotTell);
}

#[test]
fn the_same_predictions_are_not_worse() {
    let (same, _) = two_auc(60, 1.0, 1.0, "same");
    let found = judge_task(task(ScoreName::RocAuc, 0.02, classes(60), vec![vec![same.clone()]], vec![vec![same]]));
    let estimate = found.estimate.unwrap();
    assert_eq!((estimate.difference, estimate.low95, estimate.high95, estimate.p_worse), (0.0, 0.0, 0.0, 1.0));
    assert_eq!(found.verdict, GateVerdict::NotWorse);
}

#[test]
fn what_cannot_be_compared_is_refused_by_name() {
    let word = |task: TaskComparison| judge_task(task).estimate.map(|_| ()).map_err(|refusal| refusal.word());
    let one: &[&[f64]] = &[&[0.6]];
    assert_eq!(word(rmse(0.02, false, one, one)), Ok(()));
    assert_eq!(word(rmse(0.02, true, one, &[&[0.6, 0.7]])), Err("one_seed"));
    assert_eq!(word(rmse(0.0, false, one, one)), Err("margin"));
    assert_eq!(word(rmse(f64::NAN, false, one, one)), Err("margin"));
    assert_eq!(word(rmse(0.02, false, one, &[])), Err("no_predictions"));
    assert_eq!(word(rmse(0.02, false, &[&[]], one)), Err("no_predictions"));
    assert_eq!(word(rmse(0.02, false, one, &[&[f64::NAN]])), Err("not_finite"));
    let mut other = rmse(0.02, false, one, one);
    other.candidate[0][0].pop();
    assert_eq!(word(other), Err("other_molecules"));
    let few = |n: usize| task(ScoreName::Rmse, 0.02, labels(n), vec![vec![labels(n)]], vec![vec![labels(n)]]);
    assert_eq!((word(few(19)), word(few(1)), word(few(20))), (Err("too_few_molecules"), Err("too_few_molecules"), Ok(())));
    let positives = |count: usize| {
        let labels_of: Vec<f64> = (0..30).map(|row| f64::from(u8::from(row < count))).collect();
        word(task(ScoreName::RocAuc, 0.02, labels_of, vec![vec![labels(30)]], vec![vec![labels(30)]]))
    };
    assert_eq!([positives(0), positives(5), positives(25), positives(30)], [Err("rare_class"); 4]);
    assert_eq!([positives(6), positives(24)], [Ok(()); 2]);
    let constant = task(ScoreName::R2, 0.02, vec![1.0; 30], vec![vec![labels(30)]], vec![vec![labels(30)]]);
    assert_eq!(word(constant), Err("undefined"));
    assert_eq!(judge_gate(&[], &[]).mean.unwrap_err().word(), "nothing");
}

/// Tasks of one group whose predictions agree are one task told twice; in two groups they would be two.
#[test]
fn a_molecule_moves_its_tasks_together() {
    let (baseline, candidate) = two_auc(200, 1.0, 1.0, "joint");
    let one = || Ok(task(ScoreName::RocAuc, 0.02, classes(200), vec![vec![baseline.clone()]], vec![vec![candidate.clone()]]));
    let group = |tasks| GateGroup { molecules: 200, tasks };
    let se = |groups: &[GateGroup]| judge_gate(groups, &[]).mean.unwrap().se_test;
    let (alone, together) = (se(&[group(vec![one()])]), se(&[group(vec![one(), one()])]));
    let apart = se(&[group(vec![one()]), group(vec![one()])]);
    assert!((together / alone - 1.0).abs() < 1e-9, "{together} {alone}");
    assert!((apart / alone - 0.5f64.sqrt()).abs() < 0.05, "{apart} {alone}");
}

/// Runs that are better in one task and as much worse in another: over tasks they do not differ.
#[test]
fn a_run_moves_its_tasks_together() {
    let of = |first: [f64; 3], second: [f64; 3]| {
        let tasks = [first, second].map(|errors| {
            let runs: Vec<Vec<f64>> = errors.iter().map(|error| vec![*error]).collect();
            let runs: Vec<&[f64]> = runs.iter().map(Vec::as_slice).collect();
            Ok(rmse(0.01, false, &runs, &runs))
        });
        let group = GateGroup { molecules: 40, tasks: tasks.into() };
        judge_gate(&[group], &[]).mean.unwrap().se_seed.unwrap()
    };
    assert!(of([0.60, 0.62, 0.64], [0.44, 0.42, 0.40]) < 1e-9);
    // Moved together: sd .02 / sqrt(3) on each side, in margins of .01.
    assert!((of([0.60, 0.62, 0.64], [0.40, 0.42, 0.44]) - 2.0 * (2.0f64 / 3.0).sqrt()).abs() < 1e-9);
}

#[test]
fn the_overall_verdict() {
    let good: &[&[f64]] = &[&[0.60, 0.601, 0.602]];
    let bad: &[&[f64]] = &[&[0.80, 0.801, 0.802]];
    let judge = |tasks: Vec<Result<TaskComparison, GateRefusal>>, values: &[Result<ValueComparison, GateRefusal>]| {
        let group = GateGroup { molecules: 40, tasks };
        judge_gate(&[group], values).verdict
    };
    let same = || Ok(rmse(0.02, true, good, good));
    let value = |difference: f64| ValueComparison { difference, std_error: 0.1, degrees_of_freedom: None, margin: 0.5 };
    assert_eq!(judge(vec![same(), same()], &[]), GateVerdict::NotWorse);
    assert_eq!(judge(vec![same(), Ok(rmse(0.02, true, good, bad))], &[]), GateVerdict::Worse);
    assert_eq!(judge(vec![same(), Err(GateRefusal::Nothing)], &[]), GateVerdict::CannotTell);
    assert_eq!(judge(vec![same()], &[Ok(value(0.0))]), GateVerdict::NotWorse);
    assert_eq!(judge(vec![same()], &[Ok(value(-0.5))]), GateVerdict::Worse);
    assert_eq!(judge(vec![same()], &[Ok(value(-0.1)), Err(GateRefusal::Nothing)]), GateVerdict::CannotTell);
    assert_eq!(judge(vec![], &[Ok(value(0.0))]), GateVerdict::NotWorse);
    assert_eq!(judge(vec![], &[]), GateVerdict::CannotTell);
}

/// One of many tasks at p = .01 alone is `worse` by itself, and not after Holm.
#[test]
fn holm_is_over_everything_that_is_gated() {
    let value = |difference: f64| Ok(ValueComparison { difference, std_error: 0.1, degrees_of_freedom: None, margin: 0.1 });
    // z = -2.326: p = .01.
    let found = judge_gate(&[], &[value(-0.232_634_787)]);
    assert_eq!(found.verdict, GateVerdict::Worse);
    let mut many = vec![value(-0.232_634_787)];
    many.extend((0..9).map(|_| value(0.3)));
    let found = judge_gate(&[], &many);
    assert_eq!((found.verdict, found.values[0].verdict), (GateVerdict::CannotTell, GateVerdict::Worse));
    assert!((found.values[0].holm_p.unwrap() - 0.1).abs() < 1e-6);
}

#[test]
fn what_would_settle_it() {
    // Spread .02 over three seeds of each side, the same mean, margin .02; t(df) x .02 sqrt(2 / k) < .02 from k = 9 on:
    // t(16) = 2.120, x sqrt(2 / 9) = .9993; at 8, t(14) = 2.145 x .5 = 1.07.
    let seeds: &[&[f64]] = &[&[0.58, 0.60, 0.62]];
    let found = judge_task(rmse(0.02, true, seeds, seeds));
    assert_eq!(
        (found.verdict, found.settle),
        (GateVerdict::CannotTell, Some(Settle::Seeds { each: 9, more_of_baseline: 6, more_of_candidate: 6 }))
    );
    let one: &[&[f64]] = &[&[0.6]];
    let found = judge_task(rmse(0.02, true, one, one));
    assert_eq!((found.verdict, found.settle), (GateVerdict::CannotTell, Some(Settle::FirstSeeds { each: 3 })));
    let (baseline, candidate) = two_auc(90, 1.0, 1.0, "settle");
    let found = judge_task(task(ScoreName::RocAuc, 0.01, classes(90), vec![vec![baseline]], vec![vec![candidate]]));
    let estimate = found.estimate.unwrap();
    let wanted = (0.01 + estimate.difference).max(-estimate.difference);
    let half = estimate.high95 - estimate.difference;
    let needed = 90.0 * (half / wanted).powi(2);
    let Some(Settle::TestMolecules { molecules }) = found.settle else { panic!("{:?}", found.settle) };
    assert!((molecules as f64 / needed - 1.0).abs() < 0.01, "{molecules} {needed}");
}

/// A side with more seeds keeps them, and there is no number of seeds at which the search ends.
#[test]
fn seeds_that_would_settle_it_are_counted_from_those_there_are() {
    // Spread .02 over 20 seeds of the baseline and 3 of the candidate, equal means, margin .02: at 7 of the candidate
    // variance 4e-4 (1/20 + 1/7) = 7.71e-5, df = .19286^2 / (.0025 / 19 + .020408 / 6) = 10.53, t = 2.213: .01944 < .02;
    // at 6 t(8.2) = 2.30 x .02 x sqrt(1/20 + 1/6) = .0214.
    let spread = (19.0f64 / 20.0).sqrt() * 0.02;
    let twenty: Vec<f64> = (0..20).map(|seed| if seed % 2 == 0 { 0.6 + spread } else { 0.6 - spread }).collect();
    let found = judge_task(rmse(0.02, true, &[&twenty], &[&[0.58, 0.60, 0.62]]));
    assert_eq!(found.settle, Some(Settle::Seeds { each: 7, more_of_baseline: 0, more_of_candidate: 4 }));
    // Spread .2, margin .02: 1.962 x .2 sqrt(2 / k) < .02 from k = 770 or so.
    let wide: &[&[f64]] = &[&[0.8, 1.0, 1.2]];
    let Some(Settle::Seeds { each, .. }) = judge_task(rmse(0.02, true, wide, wide)).settle else { panic!() };
    assert!((768..=772).contains(&each), "{each}");
    let text = Settle::Seeds { each: 9, more_of_baseline: 6, more_of_candidate: 4 }.to_string();
    assert_eq!(
        text,
        "about 9 seeds on each side would settle it: 4 more of the candidate, 6 more of the gate baseline, saved anew"
    );
}

/// Of a mean (MAE is one of absolute errors) the jackknife gives its standard error exactly.
#[test]
fn the_standard_error_of_a_mean_is_exact() {
    let errors: Vec<f64> = (0..30).map(|row| 0.1 + ((row * 7) % 11) as f64 / 10.0).collect();
    let labels = labels(30);
    let off: Vec<f64> = labels.iter().zip(&errors).map(|(label, error)| label + error).collect();
    let found = judge_task(task(ScoreName::Mae, 0.5, labels.clone(), vec![vec![labels]], vec![vec![off]]));
    let estimate = found.estimate.unwrap();
    let expected = crate::numeric::sample_sd(&errors) / 30f64.sqrt();
    assert!((estimate.se_test / expected - 1.0).abs() < 1e-9, "{estimate:?} {expected}");
    // Their kurtosis is below 3: n - 1 degrees of freedom, scipy.stats.t.ppf(.975, 29) = 2.045229642132703.
    assert!((estimate.high95 - estimate.difference - 2.045_229_642_132_703 * expected).abs() < 1e-8, "{estimate:?}");
}

/// 200 draws of two equal models: `worse` in about 2.5 %, and the interval covers 0 in about 95 %.
#[test]
fn error_rates_smoke() {
    let (mut worse, mut covered) = (0, 0);
    for draw in 0..200 {
        let (baseline, candidate) = two_auc(120, 1.0, 1.0, &format!("smoke {draw}"));
        let found = judge_task(task(ScoreName::RocAuc, 0.02, classes(120), vec![vec![baseline]], vec![vec![candidate]]));
        let estimate = found.estimate.unwrap();
        worse += usize::from(found.verdict == GateVerdict::Worse);
        covered += usize::from(estimate.low95 <= 0.0 && estimate.high95 >= 0.0);
        assert_eq!(estimate.high95 < 0.0, estimate.p_worse < LEVEL, "{estimate:?}");
    }
    assert!(worse <= 13, "{worse}");
    assert!((180..=199).contains(&covered), "{covered}");
}

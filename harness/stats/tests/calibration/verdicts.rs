//! Verdicts on a metric: how often they are wrong, and how often the right one is found.

use clmbench_stats::{Evidence, Verdict, judge, minimum_detectable_r, permutation_test, spearman, spearman_interval};
use rand::Rng;

use super::{
    draw::{Design, latent},
    row::{Claim, Plan, Row, simulate},
};

const SECTION: &str = "Verdicts (one metric, useful effect 0.5)";
const POWER: &str = "Power at the minimum detectable r";

fn verdict(n: usize, rho: f64, rng: &mut impl Rng) -> (Verdict, bool) {
    let (x, y) = Design::Normal.draw(n, latent(rho), rng);
    let judged = judge(&Evidence {
        n,
        spearman: spearman(&x, &y),
        interval: spearman_interval(&x, &y, rng),
        holm_p: permutation_test(&x, &y, rng).ok().map(|test| test.p_value),
        useful_effect: 0.5,
    });
    (judged.verdict, judged.reversed)
}

pub fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    for &rho in plan.choose(&[0.0, 0.2, 0.5, 0.7, 0.9], &[0.0, 0.5]) {
        for &n in plan.runs() {
            let found = simulate(&format!("verdict {rho} {n}"), plan.one_in(4), |rng| verdict(n, rho, rng));
            let design = format!("normal, rho = {rho}");
            let mut add = |what: &str, claim: &dyn Fn(Claim) -> Claim, is: &dyn Fn(Verdict, bool) -> bool| {
                let found: Vec<bool> = found.iter().map(|(verdict, reversed)| is(*verdict, *reversed)).collect();
                rows.push(claim(Claim::new(SECTION, what, design.clone(), n)).row(plan, &found));
            };
            let error = |claim: Claim| claim.within(0.0, 0.05).note("wrong");
            let right = |claim: Claim| claim.known("power");
            if rho == 0.0 {
                add("`predicts`", &|claim| claim.within(0.0, 0.025).note("wrong"), &|verdict, _| verdict == Verdict::Predicts);
            } else {
                add("`predicts`", &right, &|verdict, _| verdict == Verdict::Predicts);
            }
            if rho >= 0.5 {
                add("`does_not_predict`", &error, &|verdict, _| verdict == Verdict::DoesNotPredict);
            } else {
                add("`does_not_predict`", &right, &|verdict, _| verdict == Verdict::DoesNotPredict);
            }
            if rho > 0.0 {
                let claim = |claim: Claim| claim.within(0.0, 0.025).note("wrong");
                add("`does_not_predict`, reversed", &claim, &|_, reversed| reversed);
            }
            add("`cannot_tell`", &|claim| claim, &|verdict, _| verdict == Verdict::CannotTell);
        }
    }
    for &n in plan.choose(&[8, 12, 24, 48], &[24]) {
        let rho = minimum_detectable_r(n).unwrap();
        let claim = Claim::new(POWER, "permutation p <= .05", format!("normal, rho = {rho:.3}"), n).within(0.75, 0.85);
        let claim = if n < 12 { claim.known("Fisher's z and few possible values at so few runs") } else { claim };
        rows.push(claim.count(plan, plan.one_in(4), |rng| {
            let (x, y) = Design::Normal.draw(n, latent(rho), rng);
            permutation_test(&x, &y, rng).unwrap().p_value <= 0.05
        }));
    }
    rows
}

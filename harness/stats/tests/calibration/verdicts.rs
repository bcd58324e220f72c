//! Verdicts on a metric: how often they are wrong, and how often the right one is found.

use clmbench_stats::{Evidence, Verdict, judge, minimum_detectable_r, permutation_test, spearman, spearman_interval};
use rand::Rng;

use super::{
    draw::{Design, latent},
    row::{Claim, Plan, Row, staged},
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
            let claims = |found: &[(Verdict, bool)]| {
                let design = format!("normal, rho = {rho}");
                let claim = |what: &str| Claim::new(SECTION, what, design.clone(), n);
                let is = |is: &dyn Fn(Verdict, bool) -> bool| -> Vec<bool> {
                    found.iter().map(|(verdict, reversed)| is(*verdict, *reversed)).collect()
                };
                let predicts = claim("`predicts`");
                let predicts = if rho == 0.0 { predicts.within(0.0, 0.025).note("wrong") } else { predicts.known("power") };
                let does_not = claim("`does_not_predict`");
                let does_not = if rho >= 0.5 { does_not.within(0.0, 0.05).note("wrong") } else { does_not.known("power") };
                let mut claims = vec![
                    predicts.found(is(&|verdict, _| verdict == Verdict::Predicts)),
                    does_not.found(is(&|verdict, _| verdict == Verdict::DoesNotPredict)),
                    claim("`cannot_tell`").found(is(&|verdict, _| verdict == Verdict::CannotTell)),
                ];
                if rho > 0.0 {
                    let reversed = claim("`does_not_predict`, reversed").within(0.0, 0.025).note("wrong");
                    claims.push(reversed.found(is(&|_, reversed| reversed)));
                }
                claims
            };
            let label = format!("verdict {rho} {n}");
            rows.extend(staged(&label, plan.simulations(), |rng| verdict(n, rho, rng), claims));
        }
    }
    for &n in plan.choose(&[8, 12, 24, 48], &[24]) {
        let rho = minimum_detectable_r(n).unwrap();
        let claim = Claim::new(POWER, "permutation p <= .05", format!("normal, rho = {rho:.3}"), n).within(0.75, 0.85);
        let claim = if n < 12 { claim.known("Fisher's z and few possible values at so few runs") } else { claim };
        rows.push(claim.count(plan.simulations(), |rng| {
            let (x, y) = Design::Normal.draw(n, latent(rho), rng);
            permutation_test(&x, &y, rng).unwrap().p_value <= 0.05
        }));
    }
    rows
}

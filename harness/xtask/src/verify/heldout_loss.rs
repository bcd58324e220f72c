//! Whether pretraining learns what counting cannot: held-out loss against the count models of the same subset.

use std::fs;

use super::{VerifyArguments, cells, heldout_loss};
use crate::{
    bench::{Bench, environment, markdown},
    error::XtaskError,
};

/// Budgets, in real tokens. The first is the demo's.
const TOKENS: [u64; 3] = [1_000_000, 4_000_000, 8_000_000];
/// Corpus subsets.
const SIZES: [u64; 2] = [5_000, 20_000];

pub fn run(arguments: &VerifyArguments) -> Result<(), XtaskError> {
    let bench = Bench::new("verify-loss", arguments.resume)?;
    let mut text =
        "schema = 1\n[suite]\nname = \"heldout-loss\"\nseed = 7\n[[corpus]]\nname = \"mixed\"\nsizes = [5_000, 20_000]\n"
            .to_owned();
    for tokens in TOKENS.iter().rev() {
        text += &format!("[[model]]\narchitecture = \"bert\"\npresets = [\"0.83M\"]\ntokens = {tokens}\nbatch = 32\n");
    }
    text += "[[metric]]\nid = \"loss/mlm_loss\"\n";
    bench.run("loss", &text, None)?;
    let found = cells(&bench, "loss")?;
    let mut rows = Vec::new();
    let mut best_beats_all = true;
    let mut above_bigram = 0;
    for size in SIZES {
        let key = format!("tokenise/mixed-{size}");
        let missing = || XtaskError::Cell { key: key.clone(), status: "missing".into() };
        let corpus = found.iter().find(|cell| cell.key == key).ok_or_else(missing)?;
        let baseline = |name: &str| {
            let value = corpus.number(&format!("/{name}_cross_entropy")).unwrap_or(f64::NAN);
            (value, corpus.number(&format!("/{name}_se")).unwrap_or(f64::NAN))
        };
        let (two, _) = baseline("two_neighbour");
        let (bigram, _) = baseline("bigram");
        let mut lowest = f64::INFINITY;
        for tokens in TOKENS {
            let run = found.iter().find(|cell| {
                cell.stage == "pretrain"
                    && cell.key.contains(&format!("mixed-{size}/"))
                    && cell.defined("/tokens") == tokens.to_string()
            });
            let loss = run.and_then(|run| heldout_loss(&found, run));
            let shown =
                |value: Option<(f64, f64)>| value.map_or("–".into(), |(value, error)| format!("{value:.3} ± {error:.3}"));
            if let Some((value, error)) = loss {
                lowest = lowest.min(value + 2.0 * error);
                if value >= bigram {
                    above_bigram += 1;
                    println!(
                        "xtask: after {tokens} tokens on {size} molecules the loss {value:.3} is above the bigram's {bigram:.3}"
                    );
                }
            }
            rows.push(vec![
                size.to_string(),
                format!("{}M", tokens / 1_000_000),
                shown(loss),
                shown(Some(baseline("two_neighbour"))),
                shown(Some(baseline("bigram"))),
                shown(Some(baseline("unigram"))),
            ]);
        }
        best_beats_all &= lowest < two;
    }
    let header = ["molecules", "tokens", "(4, 128)", "two neighbours", "bigram", "unigram"];
    let text = format!(
        "# Held-out loss against count models\n\nCross-entropy of held-out tokens in nats a token, ± standard error over molecules. The model (bert 0.83M: 4 layers, width 128) predicts masked \
         tokens\n(15 %, 80/10/10) from both sides; the count models know the token before, or both neighbours, from counts in the same corpus subset\n(Witten-Bell smoothing), \
         with nothing masked. One seed.\n\nMade by `cargo xtask verify loss --write` on {}.\n\n{}",
        environment(&bench.checkout),
        markdown(&header, &rows)
    );
    println!("\n{text}");
    if arguments.write {
        let path = bench.checkout.join("benchmarks/HELDOUT_LOSS.md");
        fs::write(&path, text).map_err(XtaskError::io("write", &path))?;
        println!("xtask: written to {}", path.display());
    }
    if above_bigram > 0 {
        return Err(XtaskError::Check(format!("{above_bigram} runs are not below the bigram count model")));
    }
    if best_beats_all {
        return Ok(());
    }
    Err(XtaskError::Check("no run is two standard errors below the two-neighbour count model on every subset".into()))
}

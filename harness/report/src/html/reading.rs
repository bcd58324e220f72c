//! How to read the page.

use clmbench_stats::SMALLEST_N_FOR_INTERVALS;

use super::{Report, list, node::Node, paragraph};

/// The rules behind every number, in a few sentences.
pub(crate) fn section(report: &Report<'_>) -> Vec<Node> {
    let useful = report.predictors.useful_effect;
    let items = [
        "A metric is a number measured on a pretrained checkpoint before any fine-tuning. A score is how well the checkpoint does \
         on a task afterwards. The question is whether the one tells the other."
            .to_owned(),
        "The unit is one pretraining run (a configuration and a seed), at its last annealed checkpoint; n counts runs. \
         Random-initialised controls and runs that diverged are never counted."
            .to_owned(),
        format!(
            "r is the Spearman correlation over runs, oriented: above 0 means that the metric points the way it claims. Its \
             interval is 95 %, by leaving out whole runs; none is shown below {SMALLEST_N_FOR_INTERVALS} runs. Designs and \
             splits are not in it."
        ),
        "p is a two-sided permutation test over runs, adjusted by Holm for all metrics and datasets of the suite under one \
         protocol."
            .to_owned(),
        "The gain is what the metric adds, in leave-one-run-out Q2, to the trivial predictors (size, tokens, corpus), which are \
         marked *. A metric that predicts but gains nothing says no more than the size of the model."
            .to_owned(),
        format!(
            "Verdicts: predicts (✓: Holm p at most .05 and the interval above 0); does not predict (✗: the upper end of the 90 % \
             interval is below the useful effect {useful}, or, marked reversed, it is significant against its claim); cannot tell \
             (?: this design is too small to say); refused (–: nothing to fit, with the reason). \"Cannot tell\" is a result."
        ),
        "mde is the smallest |r| that n runs find 80 % of the time. Where it is large, cannot tell is to be expected."
            .to_owned(),
        "A baseline is a model without a language model: a forest, boosted trees or a linear model on fixed features of the molecules, or \
         the mean. A pretrained model that does not beat it has not shown that pretraining helps."
            .to_owned(),
        "Rows flagged leaked are of tasks whose test molecules are in part also in training or validation: their scores may be too good."
            .to_owned(),
        "± and error bars are one standard error; each table says what its errors contain.".to_owned(),
    ];
    vec![
        paragraph(
            "This page says which numbers of a pretrained chemical language model told how well it transferred to property \
             prediction, in this suite of runs.",
        ),
        list(items).into(),
    ]
}

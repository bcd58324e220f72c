//! The tables of `benchmarks/PARITY.md`.

use super::{ALLOWED, Case, Differences, TOKENS};
use crate::bench::markdown;

/// A case and what each attention mode differs by: fast, twice differentiable.
pub(super) struct Row {
    pub(super) case: Case,
    pub(super) modes: Vec<Differences>,
}

impl Differences {
    /// Hidden states, logits, gradients, loss: each difference (none for a number that is not finite, which JSON has not).
    fn all(&self) -> impl Iterator<Item = Option<f64>> {
        [self.hidden].into_iter().chain(self.head.iter().flat_map(|head| [head.logits, head.gradient, head.loss]))
    }
}

impl Row {
    /// Both modes, everything within [`ALLOWED`].
    pub(super) fn agrees(&self) -> bool {
        let within = |value: Option<f64>| value.is_some_and(|value| value <= ALLOWED);
        self.modes.len() == 2 && self.modes.iter().all(|mode| mode.all().all(within))
    }

    /// Folder and case, and the parameter whose gradient is furthest off.
    pub(super) fn name(&self) -> String {
        let furthest = self.modes.iter().filter_map(|mode| mode.head.as_ref()).map(|head| head.furthest.as_str());
        let case = self.case.case.file_stem().unwrap_or_default().to_string_lossy();
        format!("{case} ({})", furthest.collect::<Vec<_>>().join(", "))
    }

    /// One quantity in both modes.
    fn shown(&self, of: impl Fn(&Differences) -> Option<Option<f64>>) -> String {
        let one = |mode: &Differences| match of(mode) {
            None => "–".to_owned(),
            Some(None) => "not finite".to_owned(),
            Some(Some(value)) => format!("{value:.1e}"),
        };
        let both: Vec<String> = self.modes.iter().map(one).collect();
        if both.iter().all(|text| text == "–") { "–".into() } else { both.join(" / ") }
    }

    fn cells(&self, first: [String; 2]) -> Vec<String> {
        let lengths: Vec<String> = self.case.lengths.iter().map(u64::to_string).collect();
        let [hidden, logits, gradients] = self.case.error;
        let peer = if self.modes.iter().all(|mode| mode.head.is_none()) { hidden } else { hidden.max(logits).max(gradients) };
        first
            .into_iter()
            .chain([
                lengths.join(", "),
                self.shown(|mode| Some(mode.hidden)),
                self.shown(|mode| mode.head.as_ref().map(|head| head.logits)),
                self.shown(|mode| mode.head.as_ref().map(|head| head.gradient)),
                format!("{peer:.1e}"),
            ])
            .collect()
    }
}

/// Both tables with what they say.
pub(super) fn page(imported: &[Row], own: &[Row]) -> String {
    let theirs: Vec<Vec<String>> =
        imported.iter().map(|row| row.cells([format!("`{}`", row.case.family), row.case.said.clone()])).collect();
    let ours: Vec<Vec<String>> =
        own.iter().map(|row| row.cells([format!("`{}`", row.case.family), format!("`{}`", row.case.opened_by)])).collect();
    let header = |second| ["architecture", second, "tokens", "hidden states", "logits", "gradients", "peer in float32"];
    format!(
        "Largest relative differences at real tokens, each tensor beside its own largest entry: attention `fast` / `twice_differentiable`, in\n\
         float32; the reference is computed in float64 on the same float32 weights. The check fails where any is beyond {ALLOWED:.0e}.\n\
         `gradients`: of the mean cross-entropy at predicted positions, the parameter that is furthest off. A gradient below 1e-6 of the largest of all is rounding of a zero (the bias of\n\
         BERT's keys) and compared with the largest. `peer in float32`: the largest difference of the peer's own float32 from its float64, which\n\
         is what rounding alone does.\n\n\
         ## Folders of others, imported\n\n\
         Small models with random weights (`benchmarks/perf/peers/parity_models.py`) saved by `transformers`, through the import cell. `gpt` is\n\
         GPT-NeoX' geometry, sequential residual and tied output unless said. `transformers` has no LSTM and no MoLFormer: these two are\n\
         `torch.nn.LSTM` and MoLFormer's kernel in its naive quadratic form (`parity_reference.py`).\n\
         A folder without its head has no logits and no loss to compare.\n\n{}\n\
         ## Our checkpoints, exported\n\n\
         The smallest preset of each architecture after {TOKENS} tokens, by `clmbench model export`; opened by the class that its `config.json`\n\
         names, with nothing missing and nothing left over (`Lstm` and `Molformer`: the modules of `parity_reference.py`), and its tokenizer by\n\
         `AutoTokenizer`. What it computes on three molecules is compared with the checkpoint that the run left.\n\n{}",
        markdown(&header("folder"), &theirs),
        markdown(&header("opened by"), &ours)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row(modes: &str) -> Row {
        let case = r#"{"case": "cases/bert-tiny-padded.safetensors", "name": "bert-tiny", "family": "bert", "said": "as saved",
            "lengths": [24, 8], "error": [1e-7, 2e-7, 3e-7]}"#;
        Row { case: serde_json::from_str(case).unwrap(), modes: serde_json::from_str(modes).unwrap() }
    }

    #[test]
    fn what_is_off_not_finite_or_missing_does_not_agree() {
        let mode = |hidden: &str, gradient: &str| {
            format!(r#"{{"hidden": {hidden}, "head": {{"logits": 1e-7, "loss": 0.0, "gradient": {gradient}, "furthest": "w"}}}}"#)
        };
        let both = |second: &str| row(&format!("[{}, {second}]", mode("4e-7", "2e-6")));
        assert!(both(&mode("1e-5", "0.0")).agrees());
        assert!(!both(&mode("1.1e-5", "0.0")).agrees());
        // Whatever rounding does to the peer itself.
        let mut conditioned = both(&mode("0.0", "1.1e-5"));
        conditioned.case.error[2] = 6e-6;
        assert!(!conditioned.agrees());
        assert!(!both(&mode("1e-7", "null")).agrees());
        assert!(!row(&format!("[{}]", mode("0.0", "0.0"))).agrees());
        assert!(row(r#"[{"hidden": 1e-7, "head": null}, {"hidden": 1e-7, "head": null}]"#).agrees());
    }

    #[test]
    fn a_row_has_both_modes_and_the_rounding_of_the_peer() {
        let row = row(r#"[{"hidden": 4e-7, "head": {"logits": 1e-7, "loss": 0.0, "gradient": 2.04e-6, "furthest": "w"}},
                {"hidden": 5e-7, "head": {"logits": null, "loss": 0.0, "gradient": 0.0, "furthest": "v"}}]"#);
        let cells = row.cells(["`bert`".into(), "as saved".into()]);
        assert_eq!(cells, ["`bert`", "as saved", "24, 8", "4.0e-7 / 5.0e-7", "1.0e-7 / not finite", "2.0e-6 / 0.0e0", "3.0e-7"]);
        assert_eq!(row.name(), "bert-tiny-padded (w, v)");
        let page = page(&[row], &[]);
        assert!(page.contains("| `bert`       | as saved |  24, 8 |"), "{page}");
    }
}

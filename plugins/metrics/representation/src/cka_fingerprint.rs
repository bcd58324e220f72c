//! `representation/cka_fingerprint`: whether embeddings hold what fingerprints hold.

use clmbench_sdk::{estimation::Molecules, prelude::*};

use crate::{
    cka::{Similarity, similarities},
    embeddings::{Embeddings, LEAST, MOLECULES, value},
    fingerprints::{BITS, bits},
};

/// Linear CKA (Kornblith et al. 2019) between embeddings and Morgan bits (radius 2, 1,024 bits) of the same molecules: whether
/// molecules that share substructures lie together. The primary value takes the unbiased estimator of HSIC (Song et al. 2012).
pub struct CkaFingerprint;

/// Share of molecules that may lack a fingerprint.
const MISSING: f64 = 0.01;

impl Metric for CkaFingerprint {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "representation/cka_fingerprint".into(),
            doc: "Linear centred kernel alignment of the embeddings with Morgan bits (radius 2, 1,024 bits, no chirality; as RDKit's): \
                  |X^T Y|^2 / (|X^T X| |Y^T Y|), 1 for a rotated and scaled copy. Primary `cka_debiased`, with the unbiased HSIC of \
                  Song et al. (0 in the mean for unrelated features; may be negative); `cka` is the plain one, which rises with D / N. \
                  Molecules without a fingerprint are left out (`missing`), over 1 % refused. Strong directions of the embeddings \
                  decide it. That likeness to fingerprints helps is our claim, not that of a paper: fingerprints are a strong baseline, \
                  and an encoder may beat them by being unlike them."
                .into(),
            citation: "Kornblith et al. 2019, arXiv:1905.00414, section 3 (linear CKA); Song et al. 2012, JMLR 13, section 2 (unbiased HSIC)".into(),
            unit: "1".into(),
            primary: "cka_debiased".into(),
            direction: Direction::HigherIsBetter,
            scope: Scope::Checkpoint,
            cost: CostClass::Cheap,
            comparable: Comparable::SameEvaluation,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters: Molecules::parameters(MOLECULES).into(),
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, params: &Params) -> Result<Measurement, PluginError> {
        let embeddings = Embeddings::read(probe, params)?;
        let rows = embeddings.centred()?;
        let smiles = probe.smiles(embeddings.molecules.part, 0, embeddings.molecules.count)?;
        if smiles.len() != embeddings.count {
            return Err(PluginError::Shape(format!("{} SMILES for {} embeddings", smiles.len(), embeddings.count)));
        }
        let (kept, table) = fingerprints(&smiles)?;
        let missing = embeddings.count - kept.len();
        let rows = if missing == 0 { rows } else { rows.f_index_select(0, &Tensor::f_from_slice(&kept)?)? };
        let each = similarities(&rows, &table)?;
        let of = |part: fn(&Similarity) -> f64| each.iter().map(part).collect::<Vec<f64>>();
        let debiased = of(|each| each.debiased);
        if debiased.iter().any(|value| value.is_nan()) {
            let text = "embeddings or fingerprints vary too little for an unbiased estimate of their spread from";
            return Err(PluginError::Input(format!("{text} {} molecules: take more (parameter `molecules`)", kept.len())));
        }
        let values = vec![
            value("cka_debiased", "1", &debiased)?,
            value("cka", "1", &of(|each| each.plain))?,
            Value::exact("missing", missing as f64, "molecules"),
        ];
        Ok(Measurement::complete(values, kept.len() as u64))
    }
}

/// Which molecules have a fingerprint, and their bits [N, 1024] in float32.
fn fingerprints(smiles: &[String]) -> Result<(Vec<i64>, Tensor), PluginError> {
    let (mut kept, mut table, mut first) = (Vec::new(), Vec::with_capacity(smiles.len() * BITS), None);
    for (index, smiles) in smiles.iter().enumerate() {
        match bits(smiles) {
            Some(bits) => {
                kept.push(index as i64);
                table.extend(bits);
            }
            None => first = first.or(Some(smiles)),
        }
    }
    let missing = smiles.len() - kept.len();
    if missing as f64 > MISSING * smiles.len() as f64 || kept.len() < LEAST {
        let text = format!("{missing} of {} molecules have no Morgan fingerprint", smiles.len());
        let example = first.map(|smiles| format!(", such as `{smiles}`")).unwrap_or_default();
        return Err(PluginError::Input(format!("{text}{example}; at most 1 % may lack one, and {LEAST} must have one")));
    }
    let table = Tensor::f_from_slice(&table)?.f_view([kept.len() as i64, BITS as i64])?;
    Ok((kept, table))
}

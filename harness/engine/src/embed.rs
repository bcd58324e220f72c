//! Embeddings: mean of the last hidden states over a molecule's real tokens.

use std::path::Path;

use clmbench_api::AttentionMode;
use clmbench_molecules::{PreparedDataset, TokenCache};
use clmbench_protocol::{Embed, EmbedOutput, Failure, FailureKind, Precision};
use tch::{Device, Kind, Tensor};

use crate::{
    batching, checkpoint,
    failure::{OrFail, Result},
    loader::Plugins,
    model::Model,
    order,
    report::Reporter,
    weights,
};

/// Tokens a batch in evaluation, padding included: activations of small models then stay near the caches.
pub const BATCH_TOKENS: usize = 4096;

/// Name of the matrix in `embeddings.safetensors`.
pub const MATRIX: &str = "embeddings";

/// Mean [B, D] over the real tokens of hidden states [B, L, D]; mask [B, L] is 1 for real tokens.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn mean_pool(hidden: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let weights = mask.f_unsqueeze(-1).or_fail()?; // [B, L, 1]
    let summed = hidden.f_mul(&weights).or_fail()?.f_sum_dim_intlist(&[1_i64][..], false, Kind::Float).or_fail()?;
    summed.f_div(&weights.f_sum_dim_intlist(&[1_i64][..], false, Kind::Float).or_fail()?).or_fail()
}

/// Mean-pooled embeddings [N, D] of molecules, in the order given, on the CPU.
///
/// # Errors
/// What the plugin refuses.
pub fn pooled(model: &Model, cache: &TokenCache, molecules: &[u32], reporter: &Reporter) -> Result<Tensor> {
    pooled_in_batches(model, cache, molecules, BATCH_TOKENS, reporter)
}

/// [`pooled`] in batches of at most this many tokens, padding included.
///
/// # Errors
/// As [`pooled`].
pub fn pooled_in_batches(
    model: &Model,
    cache: &TokenCache,
    molecules: &[u32],
    tokens: usize,
    reporter: &Reporter,
) -> Result<Tensor> {
    let _guard = tch::no_grad_guard();
    let lengths: Vec<usize> = molecules.iter().map(|molecule| cache.get(*molecule as usize).len()).collect();
    let (mut rows, mut order_of) = (Vec::new(), Vec::new());
    for chosen in order::by_length(&lengths, tokens) {
        let chosen_molecules: Vec<u32> = chosen.iter().map(|index| molecules[*index as usize]).collect();
        let batch = batching::plain(cache, &chosen_molecules, model.device());
        let hidden = model.hidden(&batch.ids, &batch.mask, AttentionMode::Fast)?; // [B, L, D]
        rows.push(mean_pool(&hidden, &batch.mask)?.f_to_device(Device::Cpu).or_fail()?);
        order_of.extend(chosen.iter().map(|index| i64::from(*index)));
        reporter.report("embed", order_of.len() as u64, molecules.len() as u64, "molecules", String::new);
    }
    let stacked = Tensor::f_cat(&rows, 0).or_fail()?;
    let mut back = vec![0_i64; order_of.len()];
    for (place, index) in order_of.iter().enumerate() {
        back[*index as usize] = place as i64;
    }
    stacked.f_index_select(0, &Tensor::from_slice(&back)).or_fail()
}

/// The matrix [N, D] that an embed cell left in a file with this digest: one row for each of so many molecules.
///
/// # Errors
/// [`FailureKind::CorruptFile`] for another file; [`FailureKind::WrongShape`] when they are not one a molecule.
pub fn read(path: &Path, digest: &str, molecules: usize, dataset: &str) -> Result<Tensor> {
    crate::files::expect_digest(path, digest)?;
    let matrix = weights::read(path)?.into_iter().find(|(name, _)| name == MATRIX).map(|(_, tensor)| tensor);
    let matrix = matrix.ok_or_else(|| {
        let text = format!("{} holds no matrix `{MATRIX}`; run again to rebuild it", path.display());
        Failure::new(FailureKind::CorruptFile, text)
    })?;
    if matrix.dim() != 2 || matrix.size()[0] as usize != molecules {
        let text = format!("embeddings {:?} for {molecules} molecules of {dataset}", matrix.size());
        return Err(Failure::new(FailureKind::WrongShape, text));
    }
    Ok(matrix)
}

/// Computes an embed cell.
///
/// # Errors
/// Unreadable inputs, what the plugin refuses, [`FailureKind::NonFinite`] for embeddings that are not finite.
pub fn run(spec: &Embed, plugins: &mut Plugins, folders: (&Path, &Path, &Path), reporter: &Reporter) -> Result<EmbedOutput> {
    let (checkpoint_folder, dataset, work) = folders;
    if spec.pooling != "mean" || spec.precision != Precision::Float32 {
        let text = format!("pooling `{}` in {:?} is not known; there is: mean in float32", spec.pooling, spec.precision);
        return Err(Failure::new(FailureKind::Unsupported, text));
    }
    for folder in [dataset, checkpoint_folder] {
        crate::files::expect_digest(&folder.join("tokenizer.json"), &spec.tokenizer_digest)?;
    }
    let data = PreparedDataset::open(dataset).or_fail()?;
    if data.output.data_digest != spec.data_digest {
        let text = format!("{} is not the dataset {} planned with; run again to rebuild it", dataset.display(), spec.data_digest);
        return Err(Failure::new(FailureKind::CorruptFile, text));
    }
    let cache = &data.tokens;
    let model = checkpoint::open(checkpoint_folder, &spec.checkpoint, plugins)?;
    let molecules: Vec<u32> = (0..cache.len() as u32).collect();
    let matrix = pooled(&model, cache, &molecules, reporter)?;
    if !bool::try_from(matrix.isfinite().all()).unwrap_or(false) {
        return Err(Failure::new(
            FailureKind::NonFinite,
            "the model's embeddings are not all finite: it diverged, or it never was (`clmbench plugin check` tells)",
        ));
    }
    let path = work.join("embeddings.safetensors");
    let embedding_digest = weights::write(&path, &[(MATRIX.into(), &matrix)])?;
    let (rows, width) = matrix.size2().or_fail()?;
    Ok(EmbedOutput { rows: rows as u64, width: width as u64, embedding_digest })
}

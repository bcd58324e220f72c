//! Parameter counts in closed form.

/// Parameters without the word embeddings and the output bias, for a gated layer of width F:
/// `L (4 H^2 + 3 H F + 2 H) - H (no normalisation before the first attention) + 2 H embedding and final norm + (H^2 + H) MLM head`.
pub fn non_embedding(layers: i64, width: i64, ffn_width: i64) -> u64 {
    let (h, f) = (width, ffn_width);
    (layers * (4 * h * h + 3 * h * f + 2 * h) + h * h + 2 * h) as u64
}

//! Parameter counts in closed form.

/// Parameters without word and position embeddings and without an output of its own:
/// `L (4 (H^2 + H) + 2 f H^2 + f H + H + 4 H) + 2 H final norm`. For f = 4 this is `L (12 H^2 + 13 H) + 2 H`.
pub fn non_embedding(layers: i64, width: i64, ffn_multiple: i64) -> u64 {
    let (h, f) = (width, ffn_multiple);
    let block = 4 * (h * h + h) + 2 * f * h * h + f * h + h + 4 * h;
    (layers * block + 2 * h) as u64
}

//! Parameter counts in closed form.

/// Parameters without word, position and type embeddings and without the output bias, for a feed-forward layer of width F:
/// `L (4 (H^2 + H) + 2 H F + F + H + 4 H) + (H^2 + H) pooler + (H^2 + 3 H) MLM transform + 2 H embedding norm`.
/// For F = 4 H this is `L (12 H^2 + 13 H) + 2 H^2 + 6 H`.
pub fn non_embedding(layers: i64, width: i64, ffn_width: i64) -> u64 {
    let (h, f) = (width, ffn_width);
    let block = 4 * (h * h + h) + 2 * h * f + f + h + 4 * h;
    (layers * block + 2 * h * h + 6 * h) as u64
}

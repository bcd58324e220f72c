//! Parameter counts in closed form.

/// Parameters without the two tables of the vocabulary and the output bias: four gates of each layer see its input (E wide in the
/// first, H in the others) and its own last state, with two biases each: `4 H (E + H) + 8 H + (L - 1) (8 H^2 + 8 H)`.
pub fn non_embedding(layers: i64, width: i64, embedding_width: i64) -> u64 {
    let (h, e) = (width, embedding_width);
    (4 * h * (e + h) + 8 * h + (layers - 1) * (8 * h * h + 8 * h)) as u64
}

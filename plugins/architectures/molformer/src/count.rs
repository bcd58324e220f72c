//! Parameter counts in closed form.

/// Parameters without the two tables of the vocabulary (words, and the untied decoder) and without the random features, which
/// are not trained; `inner` is the width F of the feed-forward layer:
/// `L (4 (H^2 + H) + 2 F H + F + H + 4 H) + 2 H final norm + (H^2 + 3 H) MLM transform`.
/// For F = H, the published choice, this is `L (6 H^2 + 10 H) + H^2 + 5 H`.
pub fn non_embedding(layers: i64, width: i64, inner: i64) -> u64 {
    let (h, f) = (width, inner);
    let block = 4 * (h * h + h) + 2 * f * h + f + h + 4 * h;
    (layers * block + h * h + 5 * h) as u64
}

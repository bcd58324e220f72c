//! Linear centred kernel alignment of two descriptions of the same molecules.

use clmbench_sdk::prelude::*;

use crate::embeddings::{groups, numbers};

/// Linear CKA of two tables of features.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// From the unbiased estimator of HSIC (Song et al. 2012, section 2), which leaves out the diagonals of the kernels: 0 in the mean
    /// for unrelated features, whatever N and D; can be negative.
    pub debiased: f64,
    /// From the plain estimator (Kornblith et al. 2019, section 3), `|X^T Y|^2 / (|X^T X| |Y^T Y|)` of centred X and Y: grows with D / N
    /// even for unrelated features.
    pub plain: f64,
}

/// Products of the features of some molecules: X^T X, Y^T Y, X^T Y.
struct Products([Tensor; 3]);

impl Products {
    /// X in float64. Y in float32, whose products are exact for bits.
    fn of(x: &Tensor, y: &Tensor) -> Result<Self, PluginError> {
        let (x_turned, y_turned) = (x.f_tr()?, y.f_tr()?);
        let yy = y_turned.f_matmul(y)?.f_to_kind(Kind::Double)?;
        Ok(Self([x_turned.f_matmul(x)?, yy, x_turned.f_matmul(&y.f_to_kind(Kind::Double)?)?]))
    }

    fn add(&mut self, other: &Self) -> Result<(), PluginError> {
        for (sum, more) in self.0.iter_mut().zip(&other.0) {
            let _ = sum.f_add_(more)?;
        }
        Ok(())
    }

    /// `|A|^2` and `|A - a b^T / n|^2` for each product A, less that of a group. Sums of products, for no matrix is made.
    fn squares(&self, without: Option<&Self>, x: &Tensor, y: &Tensor, n: f64) -> Result<[(f64, f64); 3], PluginError> {
        let dot = |a: &Tensor, b: &Tensor| -> Result<f64, PluginError> {
            Ok(a.f_flatten(0, -1)?.f_dot(&b.f_flatten(0, -1)?)?.f_double_value(&[])?)
        };
        let sums = [(x, x), (y, y), (x, y)];
        let mut squares = [(0.0, 0.0); 3];
        for (index, (square, (a, b))) in squares.iter_mut().zip(sums).enumerate() {
            let all = &self.0[index];
            let (mut own, mut along) = (dot(all, all)?, dot(a, &all.f_mv(b)?)?);
            if let Some(Self(parts)) = without {
                own += dot(&parts[index], &parts[index])? - 2.0 * dot(all, &parts[index])?;
                along -= dot(a, &parts[index].f_mv(b)?)?;
            }
            *square = (own, own - 2.0 * along / n + dot(a, a)? * dot(b, b)? / (n * n));
        }
        Ok(squares)
    }
}

/// CKA between X [N, D] in float64 and bits Y [N, E] in float32: of all molecules, then with each group of them left out. No kernel
/// [N, N] is made: all sums are taken in feature space, those of groups from those of all.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn similarities(x: &Tensor, y: &Tensor) -> Result<Vec<Similarity>, PluginError> {
    let count = x.size2()?.0 as usize;
    // Both estimates ignore a constant in X; without it sums cancel less.
    let x = x.f_subtract(&x.f_mean_dim(&[0_i64][..], true, Kind::Double)?)?;
    let parts = groups(count);
    let rows = |table: &Tensor, group: &std::ops::Range<usize>| table.f_narrow(0, group.start as i64, group.len() as i64);
    let of: Result<Vec<Products>, PluginError> =
        parts.iter().map(|group| Products::of(&rows(&x, group)?, &rows(y, group)?)).collect();
    let of = of?;
    let mut whole = Products::of(&rows(&x, &(0..0))?, &rows(y, &(0..0))?)?;
    for part in &of {
        whole.add(part)?;
    }
    let sums = Sums::new(&x, &y.f_to_kind(Kind::Double)?, &parts)?;
    let mut each = vec![sums.similarity(0, &whole, None)?];
    for (index, part) in of.iter().enumerate() {
        each.push(sums.similarity(index + 1, &whole, Some(part))?);
    }
    Ok(each)
}

/// Sums over the molecules of each of the sets: all, then all but each group. Columns are sets.
struct Sums {
    left: Vec<f64>,
    /// Sums of features [D, 17] and [E, 17].
    x: Tensor,
    y: Tensor,
    /// Sums of k_ii, l_ii, k_ii^2, l_ii^2, k_ii l_ii.
    diagonal: [Vec<f64>; 5],
    /// Sums over molecules of the products of sums of rows, of kernels without diagonals: K and K, L and L, K and L.
    rows: [Vec<f64>; 3],
}

impl Sums {
    fn new(x: &Tensor, y: &Tensor, parts: &[std::ops::Range<usize>]) -> Result<Self, PluginError> {
        let (count, sets) = (x.size2()?.0, parts.len() as i64 + 1);
        // [N, 17]: whether a molecule is in a set.
        let inside = Tensor::f_ones([count, sets], (Kind::Double, Device::Cpu))?;
        for (index, group) in parts.iter().enumerate() {
            let mut block = inside.f_narrow(0, group.start as i64, group.len() as i64)?.f_narrow(1, index as i64 + 1, 1)?;
            let _ = block.f_fill_(0.0)?;
        }
        let over = |values: &Tensor| numbers(&inside.f_tr()?.f_mv(values)?);
        let along = |table: &Tensor| table.f_square()?.f_sum_dim_intlist(&[1_i64][..], false, Kind::Double);
        let (k, l) = (along(x)?, along(y)?);
        let (x_sums, y_sums) = (x.f_tr()?.f_matmul(&inside)?, y.f_tr()?.f_matmul(&inside)?);
        let k_rows = x.f_matmul(&x_sums)?.f_subtract(&k.f_unsqueeze(1)?)?.f_mul(&inside)?;
        let l_rows = y.f_matmul(&y_sums)?.f_subtract(&l.f_unsqueeze(1)?)?.f_mul(&inside)?;
        let pairs = |a: &Tensor, b: &Tensor| numbers(&a.f_mul(b)?.f_sum_dim_intlist(&[0_i64][..], false, Kind::Double)?);
        Ok(Self {
            left: numbers(&inside.f_sum_dim_intlist(&[0_i64][..], false, Kind::Double)?)?,
            diagonal: [over(&k)?, over(&l)?, over(&k.f_square()?)?, over(&l.f_square()?)?, over(&k.f_mul(&l)?)?],
            rows: [pairs(&k_rows, &k_rows)?, pairs(&l_rows, &l_rows)?, pairs(&k_rows, &l_rows)?],
            x: x_sums,
            y: y_sums,
        })
    }

    fn similarity(&self, set: usize, whole: &Products, without: Option<&Products>) -> Result<Similarity, PluginError> {
        let n = self.left[set];
        let (x, y) = (self.x.f_select(1, set as i64)?.f_contiguous()?, self.y.f_select(1, set as i64)?.f_contiguous()?);
        let [k, l, kk, ll, kl] = [0, 1, 2, 3, 4].map(|index: usize| self.diagonal[index][set]);
        let [k_rows, l_rows, both_rows] = [0, 1, 2].map(|index: usize| self.rows[index][set]);
        // Sums of all elements of the kernels without diagonals.
        let all = |sums: &Tensor| -> Result<f64, PluginError> { Ok(sums.f_dot(sums)?.f_double_value(&[])?) };
        let (k_all, l_all) = (all(&x)? - k, all(&y)? - l);
        let unbiased = |trace: f64, product: f64, rows: f64| {
            (trace + product / ((n - 1.0) * (n - 2.0)) - 2.0 * rows / (n - 2.0)) / (n * (n - 3.0))
        };
        let [xx, yy, xy] = whole.squares(without, &x, &y, n)?;
        let own = unbiased(xx.0 - kk, k_all * k_all, k_rows);
        let other = unbiased(yy.0 - ll, l_all * l_all, l_rows);
        let cross = unbiased(xy.0 - kl, k_all * l_all, both_rows);
        // Negative or zero for a table that varies too little for so few molecules: no number then.
        let debiased = if own > 0.0 && other > 0.0 { cross / (own * other).sqrt() } else { f64::NAN };
        Ok(Similarity { debiased, plain: xy.1 / (xx.1 * yy.1).sqrt() })
    }
}

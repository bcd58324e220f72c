//! Counts, sums and second moments of features by class, which groups of molecules add to and can be taken from.

use clmbench_sdk::prelude::*;

use crate::{classes::Classes, jackknife::Groups, linear::sum};

/// First and second moments of some molecules.
pub struct Moments {
    /// Molecules of each class [C].
    pub counts: Tensor,
    /// Sums by class [C, D].
    pub sums: Tensor,
    /// Second moments of all classes together [D, D]: `F^T F`.
    pub gram: Tensor,
}

impl Moments {
    /// Of each group.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn of_groups(features: &Tensor, classes: &Classes, groups: &Groups) -> Result<Vec<Self>, PluginError> {
        let member = classes.one_hot()?;
        let of = |rows: Tensor| -> Result<Self, PluginError> {
            let (features, member) = (features.f_index_select(0, &rows)?, member.f_index_select(0, &rows)?);
            let transposed = features.f_transpose(0, 1)?;
            Ok(Self {
                counts: sum(&member, 0)?,
                sums: member.f_transpose(0, 1)?.f_mm(&features)?,
                gram: transposed.f_mm(&features)?,
            })
        };
        groups.rows()?.into_iter().map(of).collect()
    }

    /// Of all groups together.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn total(groups: &[Self]) -> Result<Self, PluginError> {
        let add = |of: fn(&Self) -> &Tensor| -> Result<Tensor, PluginError> {
            let mut total = of(&groups[0]).f_zeros_like()?;
            for group in groups {
                total = total.f_add(of(group))?;
            }
            Ok(total)
        };
        Ok(Self { counts: add(|one| &one.counts)?, sums: add(|one| &one.sums)?, gram: add(|one| &one.gram)? })
    }

    /// Without a group.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn without(&self, group: &Self) -> Result<Self, PluginError> {
        Ok(Self {
            counts: self.counts.f_sub(&group.counts)?,
            sums: self.sums.f_sub(&group.sums)?,
            gram: self.gram.f_sub(&group.gram)?,
        })
    }

    /// Number of molecules.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn molecules(&self) -> Result<f64, PluginError> {
        crate::linear::number(&self.counts.f_sum(Kind::Double)?)
    }

    /// Class means [C, D].
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn means(&self) -> Result<Tensor, PluginError> {
        Ok(self.sums.f_div(&self.counts.f_unsqueeze(1)?)?)
    }

    /// Mean of all molecules [D].
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn mean(&self) -> Result<Tensor, PluginError> {
        Ok(sum(&self.sums, 0)?.f_div_scalar(self.molecules()?)?)
    }

    /// Covariance [D, D] of all molecules, over N.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn covariance(&self) -> Result<Tensor, PluginError> {
        let mean = self.mean()?;
        Ok(self.gram.f_div_scalar(self.molecules()?)?.f_sub(&mean.f_outer(&mean)?)?)
    }

    /// Covariance [D, D] within classes, over N: `sum_c n_c cov_c / N`.
    ///
    /// # Errors
    /// Whatever libtorch refuses.
    pub fn within(&self) -> Result<Tensor, PluginError> {
        let between = self.sums.f_transpose(0, 1)?.f_mm(&self.means()?)?;
        Ok(self.gram.f_sub(&between)?.f_div_scalar(self.molecules()?)?)
    }
}

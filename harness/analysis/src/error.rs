//! Why an analysis could not be made.

use clmbench_store::StoreError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A suite number that is not stored.
    #[error("no suite number {id} in the store. `clmbench run` stores suites")]
    UnknownSuite {
        /// The number.
        id: i64,
    },
    /// Values of a metric that no stored plugin describes: its direction is unknown.
    #[error("metric `{metric}` was measured but no stored plugin describes it. Run the suite again with its plugin installed")]
    UnknownMetric {
        /// The metric.
        metric: String,
    },
    /// The details of a stored fit cannot be understood.
    #[error("the stored fit of `{metric}` on {dataset} cannot be read ({reason}). Run the suite again to fit anew")]
    Details {
        /// Metric of the fit.
        metric: String,
        /// Dataset of the fit.
        dataset: String,
        /// What was wrong.
        reason: String,
    },
    /// An expected outcome that is no verdict.
    #[error("`{expect}` is no verdict. Expect one of refused, cannot_tell, does_not_predict, predicts")]
    UnknownExpectation {
        /// What the suite says.
        expect: String,
    },
}

//! Why a baseline cannot be computed.

/// Why a baseline cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// A text that has no fingerprint or descriptors.
    #[error("molecule {place} (`{smiles}`) has no {features}: {reason}")]
    Molecule {
        /// Its place among the molecules, from 0.
        place: usize,
        /// Its SMILES.
        smiles: String,
        /// What was asked for.
        features: &'static str,
        /// What the chemistry library says.
        reason: String,
    },
    /// A size of fingerprints that there is not.
    #[error("fingerprints have 1024 or 2048 bits, not {0}")]
    Bits(u32),
    /// A setting out of its range.
    #[error("{what} of {value} is not possible; {range}")]
    Setting {
        /// Its name.
        what: &'static str,
        /// Its value.
        value: String,
        /// What is.
        range: &'static str,
    },
    /// Labels that the model cannot be fitted to.
    #[error("label {label} of a training molecule: {reason}")]
    Label {
        /// The label.
        label: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nothing to fit to.
    #[error("there are no training molecules")]
    NoMolecules,
    /// What the library behind a model says.
    #[error("{model}: {reason}")]
    Library {
        /// The model.
        model: &'static str,
        /// Its words.
        reason: String,
    },
}

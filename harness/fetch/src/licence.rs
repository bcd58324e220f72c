//! Terms that whoever fetches a file must have accepted by name ([`clmbench_protocol::OptIn`]).

use std::{collections::BTreeSet, env};

use clmbench_protocol::OptIn;

use crate::FetchError;

/// Variable with the names of accepted terms, separated by commas.
pub const VARIABLE: &str = "CLMBENCH_ACCEPT_LICENCE";

/// The names of the terms that the user has accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcceptedLicences(BTreeSet<String>);

impl AcceptedLicences {
    /// As `CLMBENCH_ACCEPT_LICENCE` says.
    pub fn from_environment() -> Self {
        Self::default().and(env::var(VARIABLE).ok())
    }

    /// These too: one name each, or several with commas between them.
    #[must_use]
    pub fn and<T: AsRef<str>>(mut self, more: impl IntoIterator<Item = T>) -> Self {
        for text in more {
            let names = text.as_ref().split(',').map(str::trim).filter(|name| !name.is_empty());
            self.0.extend(names.map(str::to_owned));
        }
        self
    }

    /// Whether these terms are accepted.
    pub fn accept(&self, terms: &OptIn) -> bool {
        self.0.contains(&terms.name)
    }

    /// That these terms are accepted. `what` is what they are the terms of, such as ``dataset `moleculenet/esol` ``.
    ///
    /// # Errors
    /// [`FetchError::NotAccepted`] with the terms and the ways to accept them.
    pub fn require(&self, terms: &OptIn, what: &str) -> Result<(), FetchError> {
        if self.accept(terms) {
            return Ok(());
        }
        let (name, terms) = (terms.name.clone(), terms.terms.trim().trim_end_matches('.').to_owned());
        Err(FetchError::NotAccepted { what: what.to_owned(), name, terms })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn terms_are_accepted_by_their_exact_name() {
        let terms = OptIn { name: "some-terms".into(), terms: "Not for sale.".into() };
        let none = AcceptedLicences::default();
        let error = none.require(&terms, "dataset `a/b`").unwrap_err().to_string();
        assert_eq!(
            error,
            "dataset `a/b` is fetched only once its terms are accepted, `some-terms`: Not for sale. To accept them, add \
             `--accept-licence some-terms`, or set CLMBENCH_ACCEPT_LICENCE=some-terms"
        );
        for accepted in [none.clone().and(["some-terms"]), none.clone().and(["other, some-terms,"])] {
            assert!(accepted.accept(&terms) && accepted.require(&terms, "x").is_ok());
        }
        for other in ["Some-Terms", "some", "", "some terms"] {
            assert!(!none.clone().and([other]).accept(&terms), "{other}");
        }
    }
}

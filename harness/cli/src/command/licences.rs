//! Terms that must be accepted before data is fetched.

use clmbench_fetch::{AcceptedLicences, FetchError, Fetcher, Wanted};
use clmbench_runner::{Plan, plan::Terms};
use serde::Serialize;

/// Terms that a plan needs, in `plan --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Needed {
    /// Source and name of the dataset.
    pub dataset: String,
    /// Name by which they are accepted.
    pub name: String,
    /// What they say.
    pub terms: String,
    /// Whether nothing is left to do: they are accepted, or the files were fetched before.
    pub accepted: bool,
    /// Whether a file cannot be had without them; else it is fetched from its address, which has none.
    pub required: bool,
}

impl Needed {
    /// A line for people.
    pub fn text(&self) -> String {
        let Self { dataset, name, terms, accepted, required } = self;
        let what = if *accepted {
            "accepted".to_owned()
        } else if !required {
            format!(
                "of its package, which `run` reads only with `--accept-licence {name}`; it tries the official address without"
            )
        } else {
            format!("`run` needs `--accept-licence {name}` (or CLMBENCH_ACCEPT_LICENCE={name}) before it fetches them")
        };
        format!("{dataset} has terms, {name}: {} ({what})", terms.trim().trim_end_matches('.'))
    }
}

/// The terms that a plan needs, whether accepted or not.
pub fn needed(plan: &Plan, accepted: &AcceptedLicences) -> Vec<Needed> {
    let needed = |terms: &Terms| Needed {
        dataset: terms.dataset.clone(),
        name: terms.terms.name.clone(),
        terms: terms.terms.terms.clone(),
        accepted: is_settled(terms, accepted),
        required: terms.files.iter().any(|file| file.terms_of_all_places().is_some()),
    };
    plan.terms.iter().map(needed).collect()
}

/// That none of the files that are wanted has terms that are not accepted; but for a file that can be had without them.
///
/// # Errors
/// [`FetchError::NotAccepted`] for the first dataset.
pub fn require(plan: &Plan, wanted: &[&Wanted], accepted: &AcceptedLicences) -> Result<(), FetchError> {
    let needs_them = |file: &Wanted| file.terms_of_all_places().is_some() && wanted.contains(&file);
    let is_wanted = |terms: &&Terms| terms.files.iter().any(needs_them);
    match plan.terms.iter().filter(is_wanted).find(|terms| !is_settled(terms, accepted)) {
        Some(open) => accepted.require(&open.terms, &format!("dataset `{}`", open.dataset)),
        None => Ok(()),
    }
}

/// Terms were accepted when the files were fetched, or are now.
fn is_settled(terms: &Terms, accepted: &AcceptedLicences) -> bool {
    let there = |fetcher: Fetcher| terms.files.iter().all(|file| fetcher.find(file).is_some());
    accepted.accept(&terms.terms) || Fetcher::from_environment().is_ok_and(there)
}

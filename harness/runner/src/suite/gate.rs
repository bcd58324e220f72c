//! `[gate.margins]`: how much worse a candidate may be before the gate calls it a loss.
//!
//! Margins decide what is said of scores, never a score: no cell's definition holds them, so a suite that gains some computes
//! nothing again. They are part of the suite's text and so of its digest, as every edit of it is: the suite is stored anew, finds
//! its finished cells by their identities, and is fitted with its margins (saturation uses them).

use clmbench_store::GivenMargin;

use super::{
    Place, SuiteError,
    reader::{Section, Text},
};

/// Keys of `[gate]`.
pub(super) const KEYS: [&str; 1] = ["margins"];

/// A margin and where it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct MarginEntry {
    /// The margin.
    pub margin: GivenMargin,
    /// Where it is written.
    pub place: Place,
}

/// The margins, by name; none written is an empty list.
pub(super) fn margins<'a>(text: Text<'a>, root: &Section<'a>) -> Result<Vec<MarginEntry>, SuiteError> {
    let Some((table, offset)) = root.table("gate")? else { return Ok(Vec::new()) };
    let gate = Section::open(text, "[gate]", table, offset, &KEYS)?;
    let Some((table, offset)) = gate.table("margins")? else { return Ok(Vec::new()) };
    let mut names: Vec<String> = table.keys().map(|name| name.get_ref().to_string()).collect();
    names.sort();
    if names.is_empty() {
        return Err(gate.empty("margins", "roc_auc = 0.01"));
    }
    let allowed: Vec<&str> = names.iter().map(String::as_str).collect();
    let section = Section::open(text, "[gate.margins]", table, offset, &allowed)?;
    names.iter().map(|name| entry(&section, name)).collect()
}

fn entry(section: &Section<'_>, name: &str) -> Result<MarginEntry, SuiteError> {
    let example = "0.02` or `\"5%\"";
    let written = match section.is_string(name) {
        true => section.string(name, "5%")?.filter(|text| text.trim().ends_with('%')),
        false => section.float(name, example)?.map(|number| number.to_string()),
    };
    let of_itself = |written: String| GivenMargin::parse(&format!("{name}={written}")).ok();
    let refuse = || {
        let message = "a margin is a number above 0 in units of the score, such as `0.02`, or, of RMSE and MAE, a share of the \
                       training labels' standard deviation, such as `\"5%\"`. Remove the line for the default.";
        section.value_error(name, message)
    };
    let margin = written.and_then(of_itself).filter(|margin| margin.of == name).ok_or_else(refuse)?;
    Ok(MarginEntry { margin, place: section.place_of(name) })
}

//! Whether a suite came out as it says it expects, in words.

use std::collections::BTreeSet;

use clmbench_analysis::Expectation;

use crate::{
    Style,
    text::{finish, plain, plural, wrap},
};

/// One line if the expectation is met, else the fits that differ (the first four).
pub fn expectation_text(expectation: &Expectation, style: Style) -> String {
    const SHOWN: usize = 4;
    let expected = plain(&expectation.expected);
    let fits = plural(expectation.fits, "fit");
    let width = style.columns();
    let mut text = if expectation.met {
        wrap(&format!("As the suite expects: {expected} in all {fits}."), width)
    } else if expectation.fits == 0 {
        wrap(&format!("The suite expects {expected}, and there are no fits to compare."), width)
    } else {
        let different = expectation.unexpected.len();
        let mut text = wrap(&format!("The suite expects {expected}; {different} of {fits} came out otherwise:"), width);
        for row in expectation.unexpected.iter().take(SHOWN) {
            let line =
                format!("- {} on {} {} by {}: {} ({})", row.metric, row.dataset, row.task, row.protocol, row.verdict, row.reason);
            text.push_str(&wrap(&plain(&line), width));
        }
        if different > SHOWN {
            text.push_str(&wrap(&format!("- and {} more", different - SHOWN), width));
        }
        text
    };
    if !expectation.skipped.is_empty() {
        let names: BTreeSet<&str> = expectation.skipped.iter().map(|row| row.metric.as_str()).collect();
        let more = if names.len() > 3 { format!(" and {} more", names.len() - 3) } else { String::new() };
        let names: Vec<&str> = names.into_iter().take(3).collect();
        let skipped = plural(expectation.skipped.len(), "refused fit");
        let line = format!("Not compared: {skipped} ({}{more}).", names.join(", "));
        text.push_str(&wrap(&plain(&line), width));
    }
    finish(text, style)
}

//! A checkpoint on a page.

use clmbench_fetch::hub::HubFile;

use super::{
    architecture::objective,
    coverage,
    facts::{Facts, Origin},
    tokens,
};
use crate::{
    command::wrapped,
    console::{Console, one_line},
    units::{counted, show_bytes},
};

/// Files that are listed one by one.
const MOST_FILES: usize = 12;

/// The page.
pub fn of(facts: &Facts, console: Console) -> String {
    let width = console.style.width;
    let mut lines = vec![format!("{} ({})", one_line(&facts.name, 120), objective(facts.objective))];
    let mut say = |word: &str, text: &str| lines.push(wrapped(word, text, width));
    source(&facts.source, &mut say);
    let config: Vec<String> = facts.config.iter().map(|(key, value)| format!("{key} {value}")).collect();
    say("model", &format!("{} ({} {}): {}", facts.architecture, facts.plugin, facts.version, config.join(", ")));
    say("size", &format!("{} parameters, {} of them without embeddings", facts.total_parameters, facts.non_embedding_parameters));
    say(
        "FLOPs",
        &format!(
            "a token: {} forward (2 x parameters without embeddings), {} training (6 x)",
            flops(facts.forward_flops_per_token),
            flops(facts.training_flops_per_token)
        ),
    );
    let tokenizer = &facts.tokenizer;
    let rows = match tokenizer.embedding_rows {
        rows if rows == tokenizer.entries => String::new(),
        rows => format!(", for {rows} embedding rows"),
    };
    say("tokens", &format!("{}, {} entries{rows}; {}", tokenizer.kind, tokenizer.entries, tokens::shown(&tokenizer.special)));
    let most = match facts.max_positions {
        Some(most) if most != facts.max_tokens => format!("; the model takes {most}"),
        _ => String::new(),
    };
    say("length", &format!("at most {} tokens{most}", facts.max_tokens));
    for note in &facts.notes {
        say("note", note);
    }
    match &facts.transformers_class {
        Some(class) => say("opens as", &format!("{class} of transformers, once exported")),
        None => say("opens as", "no class of transformers"),
    }
    if !facts.coverage.is_empty() {
        lines.push(coverage::table(&facts.coverage, console).trim_end().to_owned());
        lines.push(wrapped(
            "",
            "counted over all valid molecules; unknown: outside the vocabulary; cut: longer than the longest sequence",
            width,
        ));
    }
    if let Some(table) = &facts.suite_table {
        lines.push(format!("\n{table}"));
    }
    lines.join("\n")
}

fn source(source: &Origin, say: &mut impl FnMut(&str, &str)) {
    match source {
        Origin::Folder { path, model_type, files } => {
            say("from", &format!("{path}, model_type {model_type}; {}", total(files)));
            listed(files, say);
        }
        Origin::Hub { repo, revision, commit, address, fetched, model_type, files } => {
            let asked = if revision == commit { String::new() } else { format!(" ({revision} was asked for)") };
            say("from", &format!("{repo} at commit {commit}{asked}, model_type {model_type}; {}", total(files)));
            match address {
                Some(address) => say(" ", &format!("{address}, fetched {}", fetched.as_deref().unwrap_or_default())),
                None => say(" ", "placed in the cache by hand: no hub vouches for its files"),
            }
            listed(files, say);
        }
        Origin::Run { key, identity, suite, checkpoint, checkpoints, from, tokens, training, .. } => {
            let suite = suite.as_ref().map(|suite| format!(" of suite {suite}")).unwrap_or_default();
            say("run", &format!("{key} ({}){suite}", &identity[..identity.len().min(12)]));
            say(" ", training);
            let tokens = tokens.filter(|_| from.is_none()).map(|tokens| format!(", after {tokens} tokens")).unwrap_or_default();
            let others = if checkpoints.len() > 1 { format!("; it has {}", checkpoints.join(", ")) } else { String::new() };
            say(" ", &format!("{checkpoint}{tokens}{others}"));
        }
    }
}

fn total(files: &[HubFile]) -> String {
    let bytes = files.iter().fold(0u64, |sum, file| sum.saturating_add(file.bytes));
    format!("{}, {}", counted(files.len(), "file"), show_bytes(bytes))
}

fn listed(files: &[HubFile], say: &mut impl FnMut(&str, &str)) {
    for file in files.iter().take(MOST_FILES) {
        say(" ", &format!("{}, {}, SHA-256 {}", file.name, show_bytes(file.bytes), &file.sha256[..file.sha256.len().min(16)]));
    }
    if files.len() > MOST_FILES {
        say(" ", &format!("and {} more; --json lists all", files.len() - MOST_FILES));
    }
}

/// `1.7e8`, or the number where it is small.
fn flops(number: u64) -> String {
    if number < 100_000 { number.to_string() } else { format!("{:.2e}", number as f64) }
}

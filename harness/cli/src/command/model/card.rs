//! The `README.md` of an exported checkpoint: what it is, where it comes from, how it is opened.

use std::fmt::Write as _;

use clmbench_protocol::{CheckpointOutput, Objective};

use super::chosen::{Given, Kind, Run};
use crate::console::one_line;

/// Names that a line lists.
const LISTED: usize = 6;

/// The page, in Markdown. `left_out` are weights that are not in the folder, since they are random.
pub fn text(run: &Run, checkpoint: &CheckpointOutput, class: Option<&str>, given: &Given, left_out: &[String]) -> String {
    let mut page = String::new();
    let architecture = run.architecture();
    let (name, objective) = architecture.unwrap_or(("", Objective::MaskedLm));
    let library = if class.is_some() { "library_name: transformers\n" } else { "" };
    let mut say = |line: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "{line}");
    };
    say(&format!("---\n{library}tags:\n- chemistry\n- smiles\n---\n"));
    say(&format!("# {}, {}\n", code(&run.detail.row.label), code(&checkpoint.folder)));
    let objective = match objective {
        Objective::MaskedLm => "a masked language model",
        Objective::CausalLm => "a causal language model",
    };
    say(&format!("A checkpoint of the architecture {} ({objective} of SMILES), written by clmbench.\n", code(name)));
    say("| | |\n|---|---|");
    match run.kind() {
        Some(Kind::Ours(spec, output)) => {
            say(&size(output.total_parameters, output.non_embedding_parameters));
            say(&format!("| tokens trained on | {} of {} |", checkpoint.tokens, spec.tokens));
            say(&format!("| corpus | {} molecules, BLAKE3 {} |", output.corpus_molecules, code(&spec.corpus_digest)));
            say(&format!("| seed, peak learning rate, batch | {}, {}, {} |", spec.seed, spec.learning_rate.0, spec.batch));
            say(&format!("| training loss there | {:.4} nats a predicted token |", checkpoint.training_loss.0));
            say("| tokenizer | the SMILES regex of Schwaller et al. (2019) over a fixed vocabulary |");
            if let Some(why) = &output.divergence {
                say(&format!("| diverged | {} |", cell(why)));
            }
        }
        Some(Kind::Theirs(spec, output)) => {
            say(&size(output.total_parameters, output.non_embedding_parameters));
            let told = |number: Option<u64>| {
                number.map_or_else(
                    || "not known: a checkpoint of others".to_owned(),
                    |number| format!("{number}, as the suite says"),
                )
            };
            say(&format!("| tokens trained on | {} |", told(given.tokens)));
            if given.molecules.is_some() {
                say(&format!("| molecules trained on | {} |", told(given.molecules)));
            }
            if let Some(source) = &given.source {
                say(&format!("| comes from | {} |", code(source)));
            }
            let kind = if spec.control.is_some() { "random weights; architecture and tokenizer of" } else { "read from" };
            for file in &spec.files {
                say(&format!("| {kind} | {}, SHA-256 {} |", code(&file.name), code(&file.sha256)));
            }
            say(&format!("| tokenizer | {}, {} entries |", code(&output.tokenizer_kind), output.tokenizer_entries));
            for note in &output.notes {
                say(&format!("| note | {} |", cell(note)));
            }
            if !left_out.is_empty() {
                say(&format!(
                    "| not in this folder | {}: the checkpoint of others had none, and random ones would pass for learnt ones. Hidden states \
                     are those of the checkpoint; nothing that needs logits can be had from it |",
                    cell(&listed(left_out))
                ));
            }
        }
        None => {}
    }
    say(&format!("| weights | BLAKE3 {} |", code(&checkpoint.weights_digest)));
    say(&format!("| cell | {} |\n", code(&run.identity)));
    match class {
        Some(class) => say(&format!(
            "Opened by the `transformers` package (no remote code is needed):\n\n```python\nfrom transformers import AutoTokenizer, {class}\n\n\
             tokenizer = AutoTokenizer.from_pretrained(\"FOLDER\")\nmodel = {class}.from_pretrained(\"FOLDER\")\n```\n",
            class = identifier(class)
        )),
        None => say(
            "No class of the `transformers` package opens it; clmbench does:\n\n```toml\n[[checkpoint]]\npath = \"FOLDER\"\n```\n",
        ),
    }
    say(match run.kind() {
        Some(Kind::Theirs(..)) => {
            "Licence: clmbench does not know it. The terms of those who published the weights (see above where they come from) hold for this copy too; write them here before you \
             pass it on."
        }
        _ => {
            "Licence: that of whoever trained it; none is chosen here. The terms of the corpus may bind what was trained on it; write them here \
             before you pass it on."
        }
    });
    page
}

/// Names, the first of them.
pub fn listed(names: &[String]) -> String {
    let more = if names.len() > LISTED { format!(" and {} more", names.len() - LISTED) } else { String::new() };
    format!("{}{more}", names.iter().take(LISTED).map(|name| one_line(name, 80)).collect::<Vec<_>>().join(", "))
}

fn size(total: u64, non_embedding: u64) -> String {
    format!("| parameters | {total}, {non_embedding} of them without embeddings |")
}

/// Foreign text as code in a cell of a table.
fn code(text: &str) -> String {
    format!("`{}`", one_line(text, 200).replace('`', "'").replace('|', "/"))
}

/// Foreign text in a cell of a table: every letter that Markdown or HTML would read otherwise stands for itself.
fn cell(text: &str) -> String {
    let mut safe = String::new();
    for letter in one_line(text, 400).chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '!' | '|' => safe.extend(['\\', letter]),
            other => safe.push(other),
        }
    }
    safe
}

/// A name of Python, and nothing else.
fn identifier(text: &str) -> String {
    text.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_no_markup() {
        assert_eq!(code("a`b|c\nd"), "`a'b/c d`");
        assert_eq!(cell("<img src=x>|[y](z) a_b"), r"&lt;img src=x&gt;\|\[y\](z) a\_b");
        assert_eq!(identifier("Bert; import os"), "Bertimportos");
    }
}

//! Labels and parts as texts. The host checks labels too; here the line is known.

use clmbench_sdk::{prelude::*, protocol::user_table};

/// Signs of a text that an error shows.
const SHOWN: usize = 40;

/// That a text is a label of this task, or empty.
///
/// # Errors
/// The part of a sentence that names column and text.
pub fn check(text: &str, task: &TaskInfo) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
    let wanted = match (task.kind, value) {
        (TaskKind::Regression, Some(_)) => return Ok(()),
        (TaskKind::Classification, Some(class)) if class == 0.0 || class == 1.0 => return Ok(()),
        (TaskKind::Regression, None) => "a finite number",
        (TaskKind::Classification, _) => "a class, 0 or 1",
    };
    let (column, text) = (&task.name, shown(text));
    Err(format!("column `{column}`: `{text}` is not {wanted}; correct it, or leave the field empty if the label is missing"))
}

/// The word for the part that a text names.
///
/// # Errors
/// The part of a sentence that names column and text.
pub fn part(text: &str, column: &str) -> Result<&'static str, String> {
    user_table::part(text).ok_or_else(|| {
        let what = if text.is_empty() { "the field is empty, which".to_owned() } else { format!("`{}`", shown(text)) };
        format!("column `{column}`: {what} is not a part of a split; write train, valid or test")
    })
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn task(kind: TaskKind) -> TaskInfo {
        TaskInfo { name: "y".into(), kind, unit: String::new(), score: "rmse".into() }
    }

    #[test]
    fn labels_are_finite_numbers_or_classes_or_empty() {
        for text in ["", "1", "-0.5", "1e-3", "+2"] {
            assert_eq!(check(text, &task(TaskKind::Regression)), Ok(()), "{text}");
        }
        for text in ["NA", "nan", "inf", "-inf", "1e400", "1,5", "0x10", "<5", "\u{663}"] {
            let advice = "is not a finite number; correct it, or leave the field empty if the label is missing";
            assert_eq!(check(text, &task(TaskKind::Regression)).unwrap_err(), format!("column `y`: `{text}` {advice}"));
        }
        for text in ["", "0", "1", "1.0", "0.0"] {
            assert_eq!(check(text, &task(TaskKind::Classification)), Ok(()), "{text}");
        }
        for text in ["2", "-1", "0.5", "yes", "True", "nan"] {
            let error = check(text, &task(TaskKind::Classification)).unwrap_err();
            assert!(error.starts_with(&format!("column `y`: `{text}` is not a class, 0 or 1;")), "{error}");
        }
        assert!(check(&"x".repeat(99), &task(TaskKind::Regression)).unwrap_err().contains(&format!("`{}`", "x".repeat(40))));
    }

    #[test]
    fn what_is_no_part_is_named() {
        assert_eq!(part("Dev", "fold"), Ok("valid"));
        assert_eq!(
            part("holdout", "fold").unwrap_err(),
            "column `fold`: `holdout` is not a part of a split; write train, valid or test"
        );
        assert_eq!(
            part("", "fold").unwrap_err(),
            "column `fold`: the field is empty, which is not a part of a split; write train, valid or test"
        );
    }
}

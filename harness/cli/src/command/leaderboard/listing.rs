//! Rows with chosen columns in an order that was asked for, as table, CSV, Markdown or JSON.

use std::{cmp::Ordering, io::Write as _};

use clmbench_report::{markdown_table, table_in};
use serde_json::{Map, Value, json};

use crate::{
    arguments::{BoardArguments, Format},
    console::Console,
    error::CliError,
    output::write_to,
    rows::{Column, Kind, Writer, column},
};

/// What changed, of rows that changed.
const CHANGED: Column = column("changed", Kind::Text, "what is another than before");

/// Rows of a leaderboard on their way out.
pub struct Listing {
    /// `leaderboard-models/2`.
    schema: &'static str,
    columns: Vec<Column>,
    rows: Vec<Value>,
    /// Columns of a table that does not name its own.
    pub usual: &'static [&'static str],
    /// Whether rows say what changed.
    pub changes: bool,
    /// What else `--sort` takes: orders of the whole board, which are no columns.
    pub orders: Vec<&'static str>,
}

impl Listing {
    /// All rows with all columns.
    pub fn new(schema: &'static str, columns: &[Column], rows: Vec<Value>) -> Self {
        Self { schema, columns: columns.to_vec(), rows, usual: &[], changes: false, orders: Vec::new() }
    }

    /// Sorts and chooses columns as the arguments say; rows are sorted among those of which `within` says the same.
    ///
    /// # Errors
    /// [`CliError::Usage`]: there is no such column.
    pub fn arrange(&mut self, choice: &BoardArguments, within: impl Fn(&Value) -> String) -> Result<(), CliError> {
        if self.changes {
            self.columns.push(CHANGED);
        }
        if let Some(sort) = &choice.sort {
            let (name, largest_first) = sort.strip_prefix('-').map_or((sort.as_str(), false), |name| (name, true));
            let name = match self.known(name) {
                Err(CliError::Usage { message, hint }) if !self.orders.is_empty() => {
                    let hint = format!(
                        "--sort takes {} (the board in that order, best first), or a column: {hint}",
                        self.orders.join(", ")
                    );
                    return Err(CliError::Usage { message, hint });
                }
                known => known?.name,
            };
            let mut groups: Vec<String> = Vec::new();
            let mut keyed: Vec<(usize, Value)> = Vec::new();
            for row in std::mem::take(&mut self.rows) {
                let group = within(&row);
                let place = groups.iter().position(|known| *known == group).unwrap_or_else(|| {
                    groups.push(group);
                    groups.len() - 1
                });
                keyed.push((place, row));
            }
            keyed.sort_by(|(left_group, left), (right_group, right)| {
                left_group.cmp(right_group).then_with(|| order(&left[name], &right[name], largest_first))
            });
            self.rows = keyed.into_iter().map(|(_, row)| row).collect();
        }
        if !choice.columns.is_empty() {
            let chosen = choice.columns.iter().map(|name| self.known(name.trim()).copied()).collect::<Result<Vec<_>, _>>()?;
            self.columns = chosen;
        }
        Ok(())
    }

    fn known(&self, name: &str) -> Result<&Column, CliError> {
        self.columns.iter().find(|column| column.name == name).ok_or_else(|| CliError::Usage {
            message: format!("this leaderboard has no column `{name}`"),
            hint: format!("it has {}", self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")),
        })
    }

    /// Whether a table is asked for.
    pub fn is_table(&self, choice: &BoardArguments) -> bool {
        !(choice.json.json || choice.csv || choice.md)
    }

    /// Whether it is the leaderboard as it is.
    pub fn is_plain(&self, choice: &BoardArguments) -> bool {
        self.is_table(choice) && as_it_is(choice)
    }

    /// Prints the rows in the form that was asked for.
    ///
    /// # Errors
    /// [`CliError::Output`].
    pub fn print(&self, choice: &BoardArguments, suite: &str, console: Console) -> Result<(), CliError> {
        if choice.json.json {
            return console.whole_json(&json!({
                "schema": format!("clmbench/{}", self.schema),
                "generated_by": clmbench_analysis::GENERATED_BY,
                "rows": self.objects(!choice.columns.is_empty()),
            }));
        }
        if choice.csv {
            return write_to(None, |out| {
                let mut writer = Writer::start(out.by_ref(), self.schema, &self.columns, Format::Csv)?;
                self.rows.iter().try_for_each(|row| writer.object(row))?;
                writer.end()
            });
        }
        let columns = self.shown(choice);
        let cells: Vec<Vec<String>> =
            self.rows.iter().map(|row| columns.iter().map(|column| shown(&row[column.name])).collect()).collect();
        let headers: Vec<String> = columns.iter().map(|column| column.name.to_owned()).collect();
        if choice.md {
            return console.print(&markdown_table(&headers, &cells));
        }
        if self.rows.is_empty() {
            console.note(if choice.only_changed { "nothing changed" } else { "there are no rows" });
            return Ok(());
        }
        let sorted = choice.sort.as_ref().map_or_else(String::new, |sort| format!(", by {sort}"));
        let count = crate::units::counted(self.rows.len(), "row");
        let title = clmbench_report::plain(&format!("Suite {suite}: {count}{sorted}; --json has every column"));
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        console.print(&format!("{title}\n{}", table_in(&headers, &cells, console.style)))
    }

    /// The rows with the columns that were chosen.
    fn objects(&self, chosen: bool) -> Vec<Value> {
        if !chosen {
            return self.rows.clone();
        }
        let object = |row: &Value| -> Map<String, Value> {
            self.columns.iter().map(|column| (column.name.to_owned(), row[column.name].clone())).collect()
        };
        self.rows.iter().map(|row| Value::Object(object(row))).collect()
    }

    /// The columns of a table.
    fn shown(&self, choice: &BoardArguments) -> Vec<Column> {
        if !choice.columns.is_empty() {
            return self.columns.clone();
        }
        let sort = choice.sort.as_deref().map(|sort| sort.trim_start_matches('-'));
        let stays = |name: &str| self.usual.contains(&name) || sort == Some(name) || name == CHANGED.name;
        // Of what changed it is enough to say what and how.
        let names = ["metric", "label", "dataset", "task", "protocol", CHANGED.name];
        let column = |column: &&Column| match self.changes {
            true => names.contains(&column.name) || sort == Some(column.name),
            false => stays(column.name),
        };
        self.columns.iter().filter(column).copied().collect()
    }
}

/// Whether the board is asked for as it is, and not row by row.
pub fn as_it_is(choice: &BoardArguments) -> bool {
    choice.sort.is_none() && choice.columns.is_empty() && !choice.only_changed
}

/// Numbers by size, words by letters; what is missing last, whichever way.
fn order(left: &Value, right: &Value, largest_first: bool) -> Ordering {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::String(text) if ["inf", "-inf"].contains(&text.as_str()) => text.parse().ok(),
        _ => None,
    };
    let missing = |value: &Value| value.is_null() || *value == "NaN";
    let turned = |order: Ordering| if largest_first { order.reverse() } else { order };
    match (missing(left), missing(right), number(left), number(right)) {
        (true, other, ..) => {
            if other {
                Ordering::Equal
            } else {
                Ordering::Greater
            }
        }
        (false, true, ..) => Ordering::Less,
        (.., Some(left), Some(right)) => turned(left.total_cmp(&right)),
        _ => turned(words(left).cmp(&words(right))),
    }
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value in few letters: numbers with three decimals, or three digits where they are smaller than that.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => match number.as_f64() {
            Some(value) if value == 0.0 || value.abs() >= 0.001 => format!("{value:.3}"),
            Some(value) => format!("{value:.2e}"),
            None => "–".to_owned(),
        },
        Value::Array(items) if items.iter().all(Value::is_string) => items.iter().map(words).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const COLUMNS: [Column; 3] =
        [column("name", Kind::Text, "a name"), column("gain", Kind::Number, "a number"), column("task", Kind::Text, "a group")];

    fn listing() -> Listing {
        let rows = [
            ("a", json!(0.2), "x"),
            ("b", json!(null), "y"),
            ("c", json!(-1.5), "x"),
            ("d", json!(0.3), "y"),
            ("e", json!("NaN"), "x"),
        ];
        let rows = rows.into_iter().map(|(name, gain, task)| json!({"name": name, "gain": gain, "task": task})).collect();
        Listing::new("test/1", &COLUMNS, rows)
    }

    fn sorted(by: &str, within: impl Fn(&Value) -> String) -> String {
        let mut listing = listing();
        let choice = BoardArguments { sort: Some(by.into()), ..BoardArguments::default() };
        listing.arrange(&choice, within).unwrap();
        listing.rows.iter().map(|row| row["name"].as_str().unwrap()).collect()
    }

    #[test]
    fn missing_numbers_are_last_whichever_way() {
        assert_eq!(sorted("gain", |_| String::new()), "cadbe");
        assert_eq!(sorted("-gain", |_| String::new()), "dacbe");
        assert_eq!(sorted("-name", |_| String::new()), "edcba");
        assert_eq!(sorted("gain", |row| words(&row["task"])), "caedb", "within their task");
    }

    #[test]
    fn columns_are_chosen_and_unknown_ones_listed() {
        let mut some = listing();
        let choice = BoardArguments { columns: vec!["gain".into(), "name".into()], ..BoardArguments::default() };
        some.arrange(&choice, |_| String::new()).unwrap();
        assert_eq!(some.objects(true)[0], json!({"gain": 0.2, "name": "a"}));
        assert_eq!(some.shown(&choice).iter().map(|column| column.name).collect::<Vec<_>>(), ["gain", "name"]);
        let choice = BoardArguments { sort: Some("-gian".into()), ..BoardArguments::default() };
        let error = listing().arrange(&choice, |_| String::new()).unwrap_err();
        assert!(
            matches!(&error, CliError::Usage { message, hint } if message.contains("`gian`") && hint.contains("name, gain, task"))
        );
    }

    #[test]
    fn values_in_few_letters() {
        let values = [
            json!(null),
            json!(true),
            json!(3),
            json!(0.123456),
            json!(0.0),
            json!(0.000_012_3),
            json!(["a", "b"]),
            json!("inf"),
        ];
        assert_eq!(values.map(|value| shown(&value)), ["–", "yes", "3", "0.123", "0.000", "1.23e-5", "a b", "inf"]);
    }
}

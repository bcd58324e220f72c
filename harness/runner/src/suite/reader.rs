//! Typed reading of TOML tables, with the line of everything at hand.

use serde_json::{Map, Value, json};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::error::{Place, SuiteError};
use crate::nearest::hint;

/// A suite's text and name, for turning byte offsets into lines.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub file: &'a str,
    pub toml: &'a str,
}

impl Text<'_> {
    /// The place of a byte offset.
    pub fn place(&self, offset: usize) -> Place {
        let before = &self.toml.as_bytes()[..offset.min(self.toml.len())];
        Place { file: self.file.into(), line: 1 + before.iter().filter(|byte| **byte == b'\n').count() }
    }
}

/// A string or a table in a list of both.
pub(super) enum Item<'a> {
    Text(String),
    Table(Section<'a>),
}

/// A TOML table whose keys have been checked against the allowed ones.
pub(super) struct Section<'a> {
    text: Text<'a>,
    table: &'a DeTable<'a>,
    name: String,
    pub place: Place,
}

impl<'a> Section<'a> {
    /// Takes a table that may hold only the `allowed` keys.
    pub fn open(text: Text<'a>, name: &str, table: &'a DeTable<'a>, offset: usize, allowed: &[&str]) -> Result<Self, SuiteError> {
        if let Some(key) =
            table.keys().filter(|key| !allowed.contains(&key.get_ref().as_ref())).min_by_key(|key| key.span().start)
        {
            return Err(SuiteError::UnknownKey {
                place: text.place(key.span().start),
                table: name.to_owned(),
                key: key.get_ref().to_string(),
                hint: hint(key.get_ref(), allowed),
            });
        }
        Ok(Self { text, table, name: name.to_owned(), place: text.place(offset) })
    }

    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// Place of a key's value, or of the table when the key is absent.
    pub fn place_of(&self, key: &str) -> Place {
        self.get(key).map_or_else(|| self.place.clone(), |value| self.text.place(value.span().start))
    }

    /// An error about the value of a key.
    pub fn value_error(&self, key: &str, message: impl Into<String>) -> SuiteError {
        SuiteError::Value { place: self.place_of(key), table: self.name.clone(), key: key.to_owned(), message: message.into() }
    }

    fn wrong(&self, key: &str, wanted: &str, value: &Spanned<DeValue<'a>>) -> SuiteError {
        SuiteError::WrongType {
            place: self.text.place(value.span().start),
            table: self.name.clone(),
            key: key.to_owned(),
            wanted: wanted.to_owned(),
            found: kind_name(value.get_ref()).to_owned(),
        }
    }

    /// The error of an absent key.
    pub fn missing(&self, key: &str, example: &str) -> SuiteError {
        SuiteError::Missing {
            place: self.place.clone(),
            table: self.name.clone(),
            key: key.to_owned(),
            example: example.to_owned(),
        }
    }

    /// The error of a list or table with nothing in it.
    pub fn empty(&self, key: &str, example: &str) -> SuiteError {
        SuiteError::EmptyList {
            place: self.place_of(key),
            table: self.name.clone(),
            key: key.to_owned(),
            example: example.to_owned(),
        }
    }

    /// A string that is not empty.
    pub fn string(&self, key: &str, example: &str) -> Result<Option<String>, SuiteError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => {
                Err(self.value_error(key, format!("the text is empty; write, for example, `{example}`.")))
            }
            DeValue::String(text) => Ok(Some(text.to_string())),
            _ => Err(self.wrong(key, &format!("a string, such as `{example}`"), value)),
        }
    }

    /// A whole number within `from..=to`.
    pub fn integer(&self, key: &str, from: u64, to: u64, example: &str) -> Result<Option<u64>, SuiteError> {
        self.get(key).map(|value| self.integer_of(key, value, from, to, example)).transpose()
    }

    fn integer_of(&self, key: &str, value: &Spanned<DeValue<'a>>, from: u64, to: u64, example: &str) -> Result<u64, SuiteError> {
        let DeValue::Integer(integer) = value.get_ref() else {
            return Err(self.wrong(key, &format!("a whole number, such as `{example}`"), value));
        };
        match i128::from_str_radix(integer.as_str(), integer.radix()).ok().and_then(|number| u64::try_from(number).ok()) {
            Some(number) if (from..=to).contains(&number) => Ok(number),
            _ => Err(SuiteError::Value {
                place: self.text.place(value.span().start),
                table: self.name.clone(),
                key: key.to_owned(),
                message: format!("{integer} is outside {from} to {to}."),
            }),
        }
    }

    /// A finite number, whole or not.
    pub fn float(&self, key: &str, example: &str) -> Result<Option<f64>, SuiteError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match plain(value.get_ref()) {
            Some(Value::Number(number)) => Ok(number.as_f64()),
            _ => Err(self.wrong(key, &format!("a finite number, such as `{example}`"), value)),
        }
    }

    /// `true` or `false`.
    pub fn boolean(&self, key: &str, example: &str) -> Result<Option<bool>, SuiteError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Boolean(truth) => Ok(Some(*truth)),
            _ => Err(self.wrong(key, &format!("`true` or `false`, such as `{example}`"), value)),
        }
    }

    /// A table with these keys, such as `growth = { bootstrap = false }`.
    pub fn section(&self, key: &str, allowed: &[&str], example: &str) -> Result<Option<Section<'a>>, SuiteError> {
        let name = format!("`{key}` of {}", self.name);
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Table(table) => Section::open(self.text, &name, table, value.span().start, allowed).map(Some),
            _ => Err(self.wrong(key, &format!("a table, such as `{example}`"), value)),
        }
    }

    /// Whether a key is written.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether the value of a key is a string.
    pub fn is_string(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| matches!(value.get_ref(), DeValue::String(_)))
    }

    fn list(&self, key: &str, example: &str) -> Result<Option<&'a [Spanned<DeValue<'a>>]>, SuiteError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Array(items) if items.is_empty() => Err(self.empty(key, example)),
            DeValue::Array(items) => Ok(Some(items)),
            _ => Err(self.wrong(key, &format!("a list, such as `{example}`"), value)),
        }
    }

    /// A list of different strings.
    pub fn strings(&self, key: &str, example: &str) -> Result<Option<Vec<String>>, SuiteError> {
        let Some(items) = self.list(key, example)? else { return Ok(None) };
        let mut strings: Vec<String> = Vec::new();
        for item in items {
            let DeValue::String(text) = item.get_ref() else {
                return Err(self.wrong(key, &format!("a list of strings, such as `{example}`"), item));
            };
            if strings.iter().any(|earlier| earlier == text) {
                return Err(self.value_error(key, format!("`{text}` is written twice; remove one.")));
            }
            strings.push(text.to_string());
        }
        Ok(Some(strings))
    }

    /// A list of different whole numbers.
    pub fn integers(&self, key: &str, from: u64, to: u64, example: &str) -> Result<Option<Vec<u64>>, SuiteError> {
        let Some(items) = self.list(key, example)? else { return Ok(None) };
        let mut numbers = Vec::new();
        for item in items {
            let number = self.integer_of(key, item, from, to, example)?;
            if numbers.contains(&number) {
                return Err(self.value_error(key, format!("{number} is written twice; remove one.")));
            }
            numbers.push(number);
        }
        Ok(Some(numbers))
    }

    /// A list of tables with these keys, such as `parts = [{ ... }]`; none written is an empty list here.
    pub fn sections(&self, key: &str, allowed: &[&str], example: &str) -> Result<Vec<Section<'a>>, SuiteError> {
        let name = format!("`{key}` of {}", self.name);
        let Some(items) = self.list(key, example)? else { return Ok(Vec::new()) };
        items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::Table(table) => Section::open(self.text, &name, table, item.span().start, allowed),
                _ => Err(self.wrong(key, &format!("a list of tables, such as `{example}`"), item)),
            })
            .collect()
    }

    /// A list of strings, and of tables with these keys, in any mixture; none written is an empty list here.
    pub fn items(&self, key: &str, allowed: &[&str], example: &str) -> Result<Vec<Item<'a>>, SuiteError> {
        let name = format!("`{key}` of {}", self.name);
        let Some(items) = self.list(key, example)? else { return Ok(Vec::new()) };
        items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::String(text) => Ok(Item::Text(text.to_string())),
                DeValue::Table(table) => Section::open(self.text, &name, table, item.span().start, allowed).map(Item::Table),
                _ => Err(self.wrong(key, &format!("a list of strings or tables, such as `{example}`"), item)),
            })
            .collect()
    }

    /// A list of finite numbers.
    pub fn numbers(&self, key: &str, example: &str) -> Result<Option<Vec<f64>>, SuiteError> {
        let Some(items) = self.list(key, example)? else { return Ok(None) };
        let number = |item: &Spanned<DeValue<'a>>| {
            let number = plain(item.get_ref()).as_ref().and_then(Value::as_f64);
            number.ok_or_else(|| self.wrong(key, &format!("a list of finite numbers, such as `{example}`"), item))
        };
        items.iter().map(number).collect::<Result<_, _>>().map(Some)
    }

    /// A list of different finite numbers.
    pub fn floats(&self, key: &str, example: &str) -> Result<Option<Vec<f64>>, SuiteError> {
        let Some(numbers) = self.numbers(key, example)? else { return Ok(None) };
        let twice = numbers.iter().enumerate().find(|(place, number)| numbers[..*place].contains(number));
        match twice {
            Some((_, number)) => Err(self.value_error(key, format!("{number} is written twice; remove one."))),
            None => Ok(Some(numbers)),
        }
    }

    /// A table of plain values (parameters of a metric).
    pub fn values(&self, key: &str, example: &str) -> Result<Option<Map<String, Value>>, SuiteError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Table(table) => Ok(Some(self.values_of(key, table, example)?)),
            _ => Err(self.wrong(key, &format!("a table, such as `{example}`"), value)),
        }
    }

    /// A list of tables of plain values (configurations of a model).
    pub fn value_tables(&self, key: &str, example: &str) -> Result<Option<Vec<Map<String, Value>>>, SuiteError> {
        let Some(items) = self.list(key, example)? else { return Ok(None) };
        let mut tables: Vec<Map<String, Value>> = Vec::new();
        for item in items {
            let DeValue::Table(table) = item.get_ref() else {
                return Err(self.wrong(key, &format!("a list of tables, such as `{example}`"), item));
            };
            let table = self.values_of(key, table, example)?;
            if tables.contains(&table) {
                return Err(self.value_error(key, "the same table is written twice; remove one."));
            }
            tables.push(table);
        }
        Ok(Some(tables))
    }

    fn values_of(&self, key: &str, table: &'a DeTable<'a>, example: &str) -> Result<Map<String, Value>, SuiteError> {
        if table.is_empty() {
            return Err(self.empty(key, example));
        }
        let mut values = Map::new();
        for (name, value) in table {
            let Some(plain) = plain(value.get_ref()) else {
                let wanted = format!("finite numbers, `true`, `false` and strings only, such as `{example}`");
                return Err(self.wrong(&format!("{key}.{}", name.get_ref()), &wanted, value));
            };
            values.insert(name.get_ref().to_string(), plain);
        }
        Ok(values)
    }

    /// A sub-table, such as `[suite]`, with its offset.
    pub fn table(&self, key: &str) -> Result<Option<(&'a DeTable<'a>, usize)>, SuiteError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Table(table) => Ok(Some((table, value.span().start))),
            _ => Err(self.wrong(key, &format!("a table, written `[{key}]`"), value)),
        }
    }

    /// Tables of an array, such as `[[model]]`, with their offsets. None written is an empty list here.
    pub fn tables(&self, key: &str) -> Result<Vec<(&'a DeTable<'a>, usize)>, SuiteError> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let wanted = format!("an array of tables, written `[[{key}]]`");
        let DeValue::Array(items) = value.get_ref() else { return Err(self.wrong(key, &wanted, value)) };
        if items.is_empty() {
            return Err(self.empty(key, &format!("[[{key}]]")));
        }
        items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::Table(table) => Ok((table, item.span().start)),
                _ => Err(self.wrong(key, &wanted, item)),
            })
            .collect()
    }
}

/// A number, boolean or string as JSON; none for the rest and for numbers that are not finite.
fn plain(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(json!(text.as_ref())),
        DeValue::Boolean(truth) => Some(json!(truth)),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|number| json!(number)),
        DeValue::Float(float) => {
            float.as_str().parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| json!(number))
        }
        _ => None,
    }
}

fn kind_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction, or not finite",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

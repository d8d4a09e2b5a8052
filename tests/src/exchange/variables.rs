//! `${name}` in requests.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::print;
use super::value::Value;

static VARIABLE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$\{(\w+)\}").expect("a pattern"));

/// What the variables of one run stand for: `ns`, `tag`, and what the scenario captured.
#[derive(Clone, Debug, Default)]
pub struct Variables(HashMap<String, Value>);

impl Variables {
    /// Sets one.
    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// `value` with its variables replaced, in keys too. A string that is one variable and nothing else becomes its
    /// value, of whatever type; elsewhere the value's text is filled in. Unknown variables stay as they are.
    pub fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.whole(text).cloned().unwrap_or_else(|| Value::String(self.fill_text(text))),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.fill(item)).collect()),
            Value::Object(object) => {
                Value::Object(object.iter().map(|(key, value)| (self.fill_text(key), self.fill(value))).collect())
            }
            other => other.clone(),
        }
    }

    /// The same for text that stays text.
    pub fn fill_text(&self, text: &str) -> String {
        let replaced = VARIABLE.replace_all(text, |found: &Captures<'_>| match self.0.get(&found[1]) {
            None => found[0].to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => print::compact(other),
        });
        replaced.into_owned()
    }

    fn whole(&self, text: &str) -> Option<&Value> {
        let found = VARIABLE.captures(text)?;
        self.0.get(&found[1]).filter(|_| found[0].len() == text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::json;
    use super::*;

    #[test]
    fn variables_are_replaced_in_values_and_keys_and_keep_their_type_when_alone() {
        let mut variables = Variables::default();
        variables.set("ns", "x-1".into());
        variables.set("n", Value::number(7));
        let template = json(r#"{"${ns}":["${ns}/${n}","${n}","${none}","$ns","${ns}${ns}"],"n":1}"#).unwrap();
        let expected = json(r#"{"x-1":["x-1/7",7,"${none}","$ns","x-1x-1"],"n":1}"#).unwrap();
        assert_eq!(variables.fill(&template), expected);
    }
}

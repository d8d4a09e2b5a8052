//! JSON text of values: as requests carry it, and as recordings and differences show it.

use std::fmt::Write as _;

use super::value::Value;

/// On one line, keys in their order, a space after `,` and `:`, ASCII only.
pub fn compact(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, None);
    out
}

/// One member a line, indented by one space a level, keys sorted, ASCII only: the form of a recording.
pub fn sorted(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, Some(0));
    out
}

/// `level` is the depth of the value in the sorted form, none in the compact one.
fn write(out: &mut String, value: &Value, level: Option<usize>) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(text) => out.push_str(text),
        Value::String(text) => string(out, text),
        Value::Array(items) => {
            sequence(out, '[', ']', items, level, write);
        }
        Value::Object(object) => {
            let members = if level.is_some() { object.sorted() } else { object.iter().collect() };
            sequence(out, '{', '}', &members, level, |out, (key, value), level| {
                string(out, key);
                out.push_str(": ");
                write(out, value, level);
            });
        }
    }
}

fn sequence<T>(
    out: &mut String,
    open: char,
    close: char,
    items: &[T],
    level: Option<usize>,
    each: impl Fn(&mut String, &T, Option<usize>),
) {
    out.push(open);
    let inner = level.map(|level| level + 1);
    for (i, item) in items.iter().enumerate() {
        match (inner, i) {
            (Some(level), _) => line(out, if i == 0 { "" } else { "," }, level),
            (None, 0) => (),
            (None, _) => out.push_str(", "),
        }
        each(out, item, inner);
    }
    if let (Some(level), false) = (level, items.is_empty()) {
        line(out, "", level);
    }
    out.push(close);
}

fn line(out: &mut String, end: &str, level: usize) {
    out.push_str(end);
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', level));
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::read::json;
    use super::{compact, sorted};

    #[test]
    fn a_recording_is_written_sorted_indented_and_in_ascii() {
        let value = json(r#"{"b":[],"a":{"z":[1,{}],"é":"\u0001\n\"😀\u007f"}}"#).unwrap();
        let expected = "{\n \"a\": {\n  \"z\": [\n   1,\n   {}\n  ],\n  \"\\u00e9\": \"\\u0001\\n\\\"\\ud83d\\ude00\\u007f\"\n },\n \"b\": []\n}";
        assert_eq!(sorted(&value), expected);
        assert_eq!(json(expected).unwrap(), value);
        assert_eq!(compact(&value), r#"{"b": [], "a": {"z": [1, {}], "\u00e9": "\u0001\n\"\ud83d\ude00\u007f"}}"#);
    }
}

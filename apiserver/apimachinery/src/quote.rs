//! Go's quoted strings and JSON, as they appear inside upstream's messages.

use std::fmt::{self, Write};
use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter};

use crate::json::Writer;

/// Displays a string as Go's `%q` does.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\u{7}' => f.write_str("\\a")?,
                '\u{8}' => f.write_str("\\b")?,
                '\u{c}' => f.write_str("\\f")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\u{b}' => f.write_str("\\v")?,
                c if is_print(c) => f.write_char(c)?,
                c if c < ' ' || c == '\u{7f}' => write!(f, "\\x{:02x}", u32::from(c))?,
                c if u32::from(c) < 0x1_0000 => write!(f, "\\u{:04x}", u32::from(c))?,
                c => write!(f, "\\U{:08x}", u32::from(c))?,
            }
        }
        f.write_char('"')
    }
}

/// The string as Go's `%q` writes it.
pub fn quoted(text: &str) -> String {
    Quoted(text).to_string()
}

/// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    // The standard library keeps the same table for Debug. Marks are escaped there only at the start of a string,
    // so the character is shown after a letter.
    let mut buffer = [b'a'; 5];
    let length = 1 + c.encode_utf8(&mut buffer[1..]).len();
    std::str::from_utf8(&buffer[..length]).is_ok_and(|text| text.escape_debug().count() == 2)
}

/// The value as Go's `json.Marshal` writes it: compact, with `<`, `>`, `&`, U+2028 and U+2029 escaped.
pub fn go_json<T: Serialize + ?Sized>(value: &T) -> String {
    String::from_utf8(go_json_bytes(value)).unwrap_or_default()
}

/// As [`go_json`], as bytes. What cannot be written as JSON (no [`Value`] is that) is nothing.
pub fn go_json_bytes<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    match write_go_json(&mut bytes, value) {
        Ok(()) => bytes,
        Err(_) => Vec::new(),
    }
}

/// As [`go_json`], appended to what is there.
///
/// # Errors
/// Of a value that cannot be written as JSON.
pub fn write_go_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> serde_json::Result<()> {
    value.serialize(Writer::new(out))
}

/// The value as Go's `json.MarshalIndent` writes it, each level indented by `indent` more.
pub fn go_json_indented<T: Serialize + ?Sized>(value: &T, indent: &str) -> String {
    let mut bytes = Vec::with_capacity(1024);
    let formatter = Indented(PrettyFormatter::with_indent(indent.as_bytes()));
    let written = value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter));
    written.ok().and_then(|()| String::from_utf8(bytes).ok()).unwrap_or_default()
}

/// Go's numbers and strings in the layout of `json.MarshalIndent`.
struct Indented<'a>(PrettyFormatter<'a>);

macro_rules! layout {
    ($($method:ident($($argument:ident: $kind:ty),*),)+) => {
        $(fn $method<W: ?Sized + io::Write>(&mut self, writer: &mut W $(, $argument: $kind)*) -> io::Result<()> {
            self.0.$method(writer $(, $argument)*)
        })+
    };
}

impl Formatter for Indented<'_> {
    layout! {
        begin_array(),
        end_array(),
        begin_array_value(first: bool),
        end_array_value(),
        begin_object(),
        end_object(),
        begin_object_key(first: bool),
        end_object_key(),
        begin_object_value(),
        end_object_value(),
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(crate::json::float(value).as_bytes())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let bytes = fragment.as_bytes();
        let mut written = 0;
        let mut at = 0;
        while let Some(found) = bytes[at..].iter().position(|byte| matches!(byte, b'<' | b'>' | b'&' | 0xe2)) {
            at += found;
            let (escape, length) = match bytes[at..] {
                [b'<', ..] => ("\\u003c", 1),
                [b'>', ..] => ("\\u003e", 1),
                [b'&', ..] => ("\\u0026", 1),
                [0xe2, 0x80, 0xa8, ..] => ("\\u2028", 3),
                [0xe2, 0x80, 0xa9, ..] => ("\\u2029", 3),
                _ => {
                    at += 1;
                    continue;
                }
            };
            writer.write_all(&bytes[written..at])?;
            writer.write_all(escape.as_bytes())?;
            at += length;
            written = at;
        }
        writer.write_all(&bytes[written..])
    }
}

/// A float as Go's `%v` writes it: `%g` with the shortest digits, exponents below -4 and from 6 on.
///
/// JSON has its own rule: there exponents begin at 21.
pub fn go_float(number: f64) -> String {
    if number == 0.0 {
        return if number.is_sign_negative() { "-0".to_owned() } else { "0".to_owned() };
    }
    let scientific = format!("{number:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.abs())
        }
        _ => number.to_string(),
    }
}

/// A value as Go's `%v` writes it: `map[a:1 b:[x y]]`.
pub fn go_value(value: &Value) -> String {
    let mut text = String::new();
    write_go_value(&mut text, value);
    text
}

fn write_go_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("<nil>"),
        Value::Bool(bool) => text.push_str(if *bool { "true" } else { "false" }),
        Value::Number(number) => match number.as_f64().filter(|_| !number.is_i64()) {
            Some(float) => text.push_str(&go_float(float)),
            None => text.push_str(&number.to_string()),
        },
        Value::String(string) => text.push_str(string),
        Value::Array(list) => {
            text.push('[');
            for (i, item) in list.iter().enumerate() {
                if i > 0 {
                    text.push(' ');
                }
                write_go_value(text, item);
            }
            text.push(']');
        }
        Value::Object(map) => {
            text.push_str("map[");
            for (i, (key, value)) in map.iter().enumerate() {
                if i > 0 {
                    text.push(' ');
                }
                text.push_str(key);
                text.push(':');
                write_go_value(text, value);
            }
            text.push(']');
        }
    }
}

/// What Go calls the type of a decoded JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoType {
    /// In the words of its JSON decoder: `object`, `number`, …
    pub json: &'static str,
    /// As a type: `map[string]interface {}`, `int64`, …
    pub go: &'static str,
}

/// What Go calls the type of a decoded JSON value.
pub fn go_type(value: &Value) -> GoType {
    let (json, go) = match value {
        Value::Null => ("null", "%!s(<nil>)"),
        Value::Bool(_) => ("bool", "bool"),
        Value::Number(number) if number.is_f64() => ("number", "float64"),
        Value::Number(_) => ("number", "int64"),
        Value::String(_) => ("string", "string"),
        Value::Array(_) => ("array", "[]interface {}"),
        Value::Object(_) => ("object", "map[string]interface {}"),
    };
    GoType { json, go }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_as_go_does() {
        for (text, want) in [
            ("", r#""""#),
            ("a b", r#""a b""#),
            ("say \"x\" \\ 'y'", r#""say \"x\" \\ 'y'""#),
            ("\n\t\r\u{7}\u{b}\u{1}\u{7f}", r#""\n\t\r\a\v\x01\x7f""#),
            ("é漢🙂", "\"é漢🙂\""),
            ("e\u{301}", "\"e\u{301}\""),
            ("\u{301}", "\"\u{301}\""),
            ("\u{a0}\u{200b}\u{feff}\u{e000}", r#""\u00a0\u200b\ufeff\ue000""#),
            ("\u{e0001}", r#""\U000e0001""#),
        ] {
            assert_eq!(quoted(text), want, "{text:?}");
        }
    }

    #[test]
    fn json_escapes_what_go_escapes() {
        let value = serde_json::json!({"b": "x<&>y", "a": [1, null, 1.0, 1e21, 1e-7, 0.5]});
        assert_eq!(go_json(&value), r#"{"a":[1,null,1,1e+21,1e-7,0.5],"b":"x\u003c\u0026\u003ey"}"#);
    }

    #[test]
    fn values_are_written_as_go_does() {
        let value = serde_json::json!({"b": ["x", null, true, {}], "a": {"c": 1.5, "d": -2}});
        assert_eq!(go_value(&value), "map[a:map[c:1.5 d:-2] b:[x <nil> true map[]]]");
    }

    #[test]
    fn floats_are_written_as_go_does() {
        for (number, want) in [
            (1.5, "1.5"),
            (0.0, "0"),
            (100000.0, "100000"),
            (1e21, "1e+21"),
            (1e20, "1e+20"),
            (1_000_000.0, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (-2.5e-7, "-2.5e-07"),
        ] {
            assert_eq!(go_float(number), want);
        }
    }
}

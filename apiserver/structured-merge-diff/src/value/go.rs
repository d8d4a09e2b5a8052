//! Values in the forms Go gives them in upstream's messages and serialised path elements.

use std::fmt::{self, Formatter, Write};
use std::ops::Range;

use serde_json::Value;

use super::Numeric;

/// Go's `%v`: strings bare, `map[k:v]`, `[a b]`, `<nil>`.
pub(crate) struct Display<'a>(pub &'a Value);

impl fmt::Display for Display<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("<nil>"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Number(n) => write_number(f, Numeric::of(n)),
            Value::String(s) => f.write_str(s),
            Value::Array(items) => {
                f.write_char('[')?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if i > 0 { " " } else { "" }, Display(item))?;
                }
                f.write_char(']')
            }
            Value::Object(map) => {
                f.write_str("map[")?;
                for (i, (k, v)) in map.iter().enumerate() {
                    write!(f, "{}{k}:{}", if i > 0 { " " } else { "" }, Display(v))?;
                }
                f.write_char(']')
            }
        }
    }
}

/// Go's `%#v`.
pub(crate) struct Debug<'a>(pub &'a Value);

impl fmt::Display for Debug<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("interface {}(nil)"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Number(n) => write_number(f, Numeric::of(n)),
            Value::String(s) => write!(f, "{}", Quoted(s)),
            Value::Array(items) => {
                f.write_str("[]interface {}{")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if i > 0 { ", " } else { "" }, Debug(item))?;
                }
                f.write_char('}')
            }
            Value::Object(map) => {
                f.write_str("map[string]interface {}{")?;
                for (i, (k, v)) in map.iter().enumerate() {
                    write!(f, "{}{}:{}", if i > 0 { ", " } else { "" }, Quoted(k), Debug(v))?;
                }
                f.write_char('}')
            }
        }
    }
}

/// Go's `%T`.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(n) => match Numeric::of(n) {
            Numeric::Int(_) => "int64",
            Numeric::Float(_) => "float64",
        },
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Go's `%q`.
pub(crate) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\x07' => f.write_str("\\a")?,
                '\x08' => f.write_str("\\b")?,
                '\x0c' => f.write_str("\\f")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\x0b' => f.write_str("\\v")?,
                '\x00'..='\x1f' | '\x7f' => write!(f, "\\x{:02x}", u32::from(c))?,
                ' '..='~' => f.write_char(c)?,
                c if is_printable(c) => f.write_char(c)?,
                c if u32::from(c) < 0x1_0000 => write!(f, "\\u{:04x}", u32::from(c))?,
                c => write!(f, "\\U{:08x}", u32::from(c))?,
            }
        }
        f.write_char('"')
    }
}

/// Rust escapes what is not printable, as Go does, and combining marks, which Go does not.
fn is_printable(c: char) -> bool {
    !c.is_whitespace() && (c.escape_debug().len() == 1 || is_combining(c))
}

fn is_combining(c: char) -> bool {
    matches!(u32::from(c), 0x300..=0x36f | 0x483..=0x489 | 0x591..=0x5c7 | 0x610..=0x61a | 0x64b..=0x65f
        | 0x900..=0x903 | 0x93a..=0x94f | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff | 0x3099 | 0x309a
        | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f)
}

/// Go's `%v` of a number: floats as `%g` with the fewest digits, in exponent form from `e+06` up and `e-05` down.
fn write_number(f: &mut impl Write, number: Numeric) -> fmt::Result {
    match number {
        Numeric::Int(i) => write!(f, "{i}"),
        Numeric::Float(x) => write_float(f, x, -4..6),
    }
}

/// The fewest digits that read back as `x`, in exponent form when the decimal exponent is not in `plain`.
fn write_float(f: &mut impl Write, x: f64, plain: Range<i32>) -> fmt::Result {
    let text = format!("{x:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if x != 0.0 && !plain.contains(&exponent) => {
            write!(f, "{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
        }
        _ => write!(f, "{x}"),
    }
}

/// JSON as upstream writes it inside a path element: keys sorted, `<`, `>`, `&` and the line separators escaped,
/// whole floats without a fraction.
pub(crate) fn write_json(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => write_json_number(out, Numeric::of(n)),
        Value::String(s) => write_json_string(out, s),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (i, (key, value)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json_string(out, key);
                out.push(':');
                write_json(out, value);
            }
            out.push('}');
        }
    }
}

fn write_json_number(out: &mut String, number: Numeric) {
    // Writing to a String cannot fail.
    let _ = match number {
        Numeric::Int(i) => write!(out, "{i}"),
        Numeric::Float(x) => write_float(out, x, -6..21),
    };
}

/// A JSON string with the characters that matter in HTML escaped too.
pub(crate) fn write_json_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x00'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

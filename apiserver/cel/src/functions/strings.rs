//! Strings, and regular expressions over them. Positions count characters.

use regex::Regex;

use super::text_format;
use crate::interpreter::{Error, Result};
use crate::value::{List, Value};

pub(super) fn call<'a>(function: &str, values: &[Value<'a>], pattern: Option<&Regex>) -> Option<Result<Value<'a>>> {
    if let ("join", [Value::List(list), rest @ ..]) = (function, values) {
        return match rest {
            [] => Some(join(list, "")),
            [Value::String(between)] => Some(join(list, between)),
            _ => None,
        };
    }
    if let ("size", [Value::Bytes(bytes)]) = (function, values) {
        return Some(Ok(Value::Int(bytes.len() as i64)));
    }
    let [Value::String(text), rest @ ..] = values else { return None };
    Some(match (function, rest) {
        ("size", []) => Ok(Value::Int(text.chars().count() as i64)),
        ("contains", [Value::String(part)]) => Ok(Value::Bool(text.contains(&**part))),
        ("startsWith", [Value::String(part)]) => Ok(Value::Bool(text.starts_with(&**part))),
        ("endsWith", [Value::String(part)]) => Ok(Value::Bool(text.ends_with(&**part))),
        ("matches", [Value::String(regex)]) => with(pattern, regex, |regex| Ok(Value::Bool(regex.is_match(text)))),
        ("find", [Value::String(regex)]) => {
            with(pattern, regex, |regex| Ok(Value::text(regex.find(text).map_or("", |found| found.as_str()))))
        }
        ("findAll", [Value::String(regex), rest @ ..]) => {
            let most = match rest {
                [] => usize::MAX,
                // A negative number says: all.
                [Value::Int(most)] => usize::try_from(*most).unwrap_or(usize::MAX),
                _ => return None,
            };
            with(pattern, regex, |regex| {
                Ok(Value::list(regex.find_iter(text).take(most).map(|found| Value::text(found.as_str())).collect()))
            })
        }
        ("charAt", [Value::Int(at)]) => char_at(text, *at),
        ("indexOf", [Value::String(part)]) => index_of(text, part, 0),
        ("indexOf", [Value::String(part), Value::Int(from)]) => index_of(text, part, *from),
        ("lastIndexOf", [Value::String(part)]) => last_index_of(text, part, None),
        ("lastIndexOf", [Value::String(part), Value::Int(from)]) => last_index_of(text, part, Some(*from)),
        ("lowerAscii", []) => Ok(Value::text(text.to_ascii_lowercase())),
        ("upperAscii", []) => Ok(Value::text(text.to_ascii_uppercase())),
        ("replace", [Value::String(old), Value::String(new)]) => Ok(Value::text(replace(text, old, new, -1))),
        ("replace", [Value::String(old), Value::String(new), Value::Int(most)]) => {
            Ok(Value::text(replace(text, old, new, *most)))
        }
        ("split", [Value::String(by)]) => Ok(split(text, by, -1)),
        ("split", [Value::String(by), Value::Int(most)]) => Ok(split(text, by, *most)),
        ("substring", [Value::Int(from)]) => substring(text, *from, None),
        ("substring", [Value::Int(from), Value::Int(to)]) => substring(text, *from, Some(*to)),
        ("trim", []) => Ok(Value::text(text.trim_matches(is_blank))),
        ("strings.quote", []) => Ok(Value::text(quote(text))),
        ("format", [Value::List(arguments)]) => text_format::format(text, arguments).map(Value::text),
        _ => return None,
    })
}

/// Unicode's white space, as Go has it.
fn is_blank(char: char) -> bool {
    char.is_whitespace()
}

/// A regular expression that is part of the call, or made now.
fn with<'a>(pattern: Option<&Regex>, text: &str, then: impl FnOnce(&Regex) -> Result<Value<'a>>) -> Result<Value<'a>> {
    match pattern {
        Some(regex) => then(regex),
        None => then(&crate::pattern::compile(text).map_err(Error::new)?),
    }
}

fn out_of_range<'a>(at: i64) -> Result<Value<'a>> {
    Err(Error::new(format!("index out of range: {at}")))
}

fn char_at<'a>(text: &str, at: i64) -> Result<Value<'a>> {
    let length = text.chars().count() as i64;
    if at < 0 || at > length {
        return out_of_range(at);
    }
    Ok(Value::text(text.chars().nth(at as usize).map(String::from).unwrap_or_default()))
}

/// Where a character is, in bytes.
fn byte_at(text: &str, chars: usize) -> usize {
    text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at)
}

fn index_of<'a>(text: &str, part: &str, from: i64) -> Result<Value<'a>> {
    let length = text.chars().count() as i64;
    if part.is_empty() && from >= 0 && from <= length {
        return Ok(Value::Int(from));
    }
    if from < 0 || from > length {
        return out_of_range(from);
    }
    let start = byte_at(text, from as usize);
    let found = text[start..].find(part).map_or(-1, |at| text[..start + at].chars().count() as i64);
    Ok(Value::Int(found))
}

fn last_index_of<'a>(text: &str, part: &str, from: Option<i64>) -> Result<Value<'a>> {
    let length = text.chars().count() as i64;
    if let Some(from) = from
        && (from < 0 || from >= length.max(1))
        && !(part.is_empty() && from == length)
    {
        return out_of_range(from);
    }
    if part.is_empty() {
        return Ok(Value::Int(from.unwrap_or(length)));
    }
    let part_length = part.chars().count();
    let last = from.map_or(length as usize, |from| from as usize);
    let end = byte_at(text, last.saturating_add(part_length));
    Ok(Value::Int(text[..end].rfind(part).map_or(-1, |at| text[..at].chars().count() as i64)))
}

fn replace(text: &str, old: &str, new: &str, most: i64) -> String {
    match usize::try_from(most) {
        Ok(most) => text.replacen(old, new, most),
        Err(_) => text.replace(old, new),
    }
}

/// Go's `strings.SplitN`: nothing separates every character.
fn split<'a>(text: &str, by: &str, most: i64) -> Value<'a> {
    if most == 0 {
        return Value::list(Vec::new());
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let parts: Vec<String> = if by.is_empty() {
        let chars: Vec<char> = text.chars().collect();
        let single = chars.len().min(most.saturating_sub(1));
        let mut parts: Vec<String> = chars[..single].iter().map(|char| char.to_string()).collect();
        if single < chars.len() {
            parts.push(chars[single..].iter().collect());
        }
        parts
    } else {
        text.splitn(most, by).map(str::to_owned).collect()
    };
    Value::list(parts.into_iter().map(Value::text).collect())
}

fn substring<'a>(text: &str, from: i64, to: Option<i64>) -> Result<Value<'a>> {
    let length = text.chars().count() as i64;
    let end = to.unwrap_or(length);
    if from < 0 || from > length {
        return out_of_range(from);
    }
    if end < 0 || end > length {
        return out_of_range(end);
    }
    if from > end {
        return Err(Error::new(format!("invalid substring range. start: {from}, end: {end}")));
    }
    Ok(Value::text(&text[byte_at(text, from as usize)..byte_at(text, end as usize)]))
}

fn join<'a>(list: &List<'a>, between: &str) -> Result<Value<'a>> {
    let mut joined = String::new();
    for (at, item) in list.iter().enumerate() {
        let Value::String(text) = item? else { return Err(Error::no_overload()) };
        if at > 0 {
            joined.push_str(between);
        }
        joined.push_str(&text);
    }
    Ok(Value::text(joined))
}

/// `strings.quote`: only what would end the string, and control characters with short escapes.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars() {
        match char {
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0b' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

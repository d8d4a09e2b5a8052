//! Semantic versions.

use std::cmp::Ordering;

use super::Opaque;
use crate::interpreter::{Error, Result};
use crate::value::Value;

/// A version; what it was built from is not kept, since it is never compared.
#[derive(Debug)]
pub(crate) struct Semver {
    numbers: [u64; 3],
    prerelease: Vec<Identifier>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Text(String),
}

impl Semver {
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => self.prerelease.cmp(&other.prerelease),
        })
    }

    /// Reads a version, in the words of the parser that upstream uses for what is none.
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("Version string empty".to_owned());
        }
        let parts: Vec<&str> = text.splitn(3, '.').collect();
        let [major, minor, rest] = parts.as_slice() else {
            return Err("No Major.Minor.Patch elements found".to_owned());
        };
        let number = |what: &str, text: &str| {
            if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
                return Err(format!(
                    "Invalid character(s) found in {what} number {}",
                    apimachinery::quote::quoted(text)
                ));
            }
            if text.len() > 1 && text.starts_with('0') {
                return Err(format!(
                    "{} number must not contain leading zeroes {}",
                    capitalised(what),
                    apimachinery::quote::quoted(text)
                ));
            }
            text.parse::<u64>().map_err(|_| {
                format!("strconv.ParseUint: parsing {}: value out of range", apimachinery::quote::quoted(text))
            })
        };
        let (major, minor) = (number("major", major)?, number("minor", minor)?);
        let (rest, build) = rest.split_once('+').map_or((*rest, None), |(rest, build)| (rest, Some(build)));
        let (patch, prerelease) = rest.split_once('-').map_or((rest, None), |(patch, pre)| (patch, Some(pre)));
        let patch = number("patch", patch)?;
        let allowed = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let mut identifiers = Vec::new();
        for part in prerelease.into_iter().flat_map(|pre| pre.split('.')) {
            if part.is_empty() {
                return Err("Prerelease is empty".to_owned());
            }
            if part.bytes().all(|b| b.is_ascii_digit()) {
                if part.len() > 1 && part.starts_with('0') {
                    let quoted = apimachinery::quote::quoted(part);
                    return Err(format!("Numeric PreRelease version must not contain leading zeroes {quoted}"));
                }
                identifiers.push(Identifier::Number(part.parse().map_err(|_| "value out of range".to_owned())?));
            } else if allowed(part) {
                identifiers.push(Identifier::Text(part.to_owned()));
            } else {
                return Err(format!("Invalid character(s) found in prerelease {}", apimachinery::quote::quoted(part)));
            }
        }
        for part in build.into_iter().flat_map(|build| build.split('.')) {
            if part.is_empty() {
                return Err("Build meta data is empty".to_owned());
            }
            if !allowed(part) {
                return Err(format!(
                    "Invalid character(s) found in build meta data {}",
                    apimachinery::quote::quoted(part)
                ));
            }
        }
        Ok(Self { numbers: [major, minor, patch], prerelease: identifiers })
    }

    /// Reads what people write as versions: a `v` before, parts left out, zeroes in front.
    fn parse_tolerant(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts: Vec<String> = text.splitn(3, '.').map(str::to_owned).collect();
        for part in &mut parts {
            if part.len() > 1 {
                let kept = part.trim_start_matches('0');
                let bare = kept.is_empty() || !kept.starts_with(|char: char| char.is_ascii_digit());
                *part = if bare { format!("0{kept}") } else { kept.to_owned() };
            }
        }
        if parts.len() < 3 {
            if parts.last().is_some_and(|part| part.contains(['+', '-'])) {
                return Err("Short version cannot contain PreRelease/Build meta data".to_owned());
            }
            parts.resize(3, "0".to_owned());
        }
        Self::parse(&parts.join("."))
    }
}

fn capitalised(what: &str) -> String {
    let mut chars = what.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

pub(super) fn call<'a>(function: &str, values: &[Value<'a>]) -> Option<Result<Value<'a>>> {
    if let ("semver" | "isSemver", [Value::String(text), rest @ ..]) = (function, values) {
        let parsed = match rest {
            [] | [Value::Bool(false)] => Semver::parse(text),
            [Value::Bool(true)] => Semver::parse_tolerant(text),
            _ => return None,
        };
        return Some(match function {
            "isSemver" => Ok(Value::Bool(parsed.is_ok())),
            _ => parsed.map(|version| Value::opaque(Opaque::Semver(version))).map_err(Error::new),
        });
    }
    let [Value::Opaque(opaque), rest @ ..] = values else { return None };
    let Opaque::Semver(version) = &**opaque else { return None };
    let number = |at: usize| Value::Int(version.numbers[at] as i64);
    let compared = match rest {
        [] => None,
        [Value::Opaque(other)] => match &**other {
            Opaque::Semver(other) => Some(version.compare(other)),
            _ => return None,
        },
        _ => return None,
    };
    Some(Ok(match (function, compared) {
        ("major", None) => number(0),
        ("minor", None) => number(1),
        ("patch", None) => number(2),
        ("isGreaterThan", Some(compared)) => Value::Bool(compared.is_gt()),
        ("isLessThan", Some(compared)) => Value::Bool(compared.is_lt()),
        ("compareTo", Some(compared)) => Value::Int(compared as i64),
        _ => return None,
    }))
}

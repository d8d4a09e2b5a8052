//! How a string is written, so that it reads back as the same string.

use std::sync::LazyLock;

use regex::Regex;

/// libyaml's scalar styles, the folded one (which go-yaml never writes) aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

/// go-yaml's wish, and what libyaml makes of it.
pub(super) fn style(text: &str, simple_key: bool) -> Style {
    let allowed = Allowed::of(text);
    let wish = if text.contains('\n') {
        Style::Literal
    } else if reads_as_string(text) {
        Style::Plain
    } else {
        Style::DoubleQuoted
    };
    match wish {
        Style::Literal if allowed.block && !simple_key => Style::Literal,
        Style::Plain if allowed.plain => Style::Plain,
        Style::Plain if allowed.single_quoted => Style::SingleQuoted,
        _ => Style::DoubleQuoted,
    }
}

/// The styles that a text's characters allow (libyaml's `yaml_emitter_analyze_scalar`, block context).
struct Allowed {
    plain: bool,
    single_quoted: bool,
    block: bool,
}

impl Allowed {
    fn of(text: &str) -> Self {
        let mut indicator = text.starts_with("---") || text.starts_with("...");
        let (mut special, mut line_breaks) = (false, false);
        let (mut break_space, mut space_break) = (false, false);
        let mut preceded_by_space = true;
        let mut previous = None;
        let mut characters = text.chars().peekable();
        let mut first = true;
        while let Some(character) = characters.next() {
            let next = characters.peek();
            let followed_by_space = next.is_none_or(|next| matches!(next, ' ' | '\t' | '\n' | '\r'));
            indicator |= match character {
                '#' if !first => preceded_by_space,
                ':' => followed_by_space,
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => first,
                '?' | '-' => first && followed_by_space,
                _ => false,
            };
            special |= !is_printable(character);
            match character {
                ' ' => break_space |= previous == Some('\n'),
                '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                    line_breaks = true;
                    space_break |= previous == Some(' ');
                }
                _ => {}
            }
            preceded_by_space = matches!(character, ' ' | '\t' | '\n' | '\r');
            previous = Some(if is_break(character) { '\n' } else { character });
            first = false;
        }
        let edge = |character: Option<char>| character.is_some_and(|c| c == ' ' || is_break(c));
        let (leading, trailing) = (edge(text.chars().next()), edge(text.chars().next_back()));
        let hard = space_break || special;
        Self {
            plain: !(indicator || leading || trailing || break_space || line_breaks || hard || text.is_empty()),
            single_quoted: !(break_space || hard),
            block: !(text.ends_with(' ') || hard),
        }
    }
}

fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// go-yaml's `is_printable`: no tab, nothing beyond the basic plane.
fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && character != '\u{feff}'
}

/// Whether a character is written as an escape between double quotes.
pub(super) fn needs_escape(character: char) -> bool {
    !is_printable(character) || is_break(character) || matches!(character, '"' | '\\')
}

/// The escape of a character.
pub(super) fn escape(character: char) -> String {
    let short = match character {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            let code = character as u32;
            return match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}

// The patterns are constants that the tests below run through.
#[allow(clippy::expect_used)]
static FLOAT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$").expect("a constant pattern"));
#[allow(clippy::expect_used)]
static BASE_60: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$").expect("a constant pattern"));
#[allow(clippy::expect_used)]
static TIMESTAMP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\d{4}-\d{1,2}-\d{1,2}([Tt]\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?(Z|[-+]\d\d:\d\d)| \d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?)?$")
        .expect("a constant pattern")
});

/// Whether YAML 1.1 reads the unquoted text as a string.
fn reads_as_string(text: &str) -> bool {
    let Some(first) = text.bytes().next() else { return false };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => !is_word(text),
        b'<' => text != "<<",
        b'.' => !matches!(text, ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF") && !FLOAT.is_match(text),
        b'+' | b'-' | b'0'..=b'9' => {
            let infinite = matches!(text, "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF");
            !(infinite
                || is_integer(text)
                || FLOAT.is_match(text)
                || BASE_60.is_match(text)
                || TIMESTAMP.is_match(text))
        }
        _ => true,
    }
}

/// The words that mean a boolean or null.
fn is_word(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "true"
            | "True"
            | "TRUE"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "false"
            | "False"
            | "FALSE"
            | "off"
            | "Off"
            | "OFF"
            | "~"
            | "null"
            | "Null"
            | "NULL"
    )
}

/// Go's `strconv.ParseInt(text, 0, 64)` on the text without underscores; with `0b` and `0o`.
fn is_integer(text: &str) -> bool {
    let plain = text.replace('_', "");
    let digits = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&digits[2..], 16),
        [b'0', b'b' | b'B', ..] => (&digits[2..], 2),
        [b'0', b'o' | b'O', ..] => (&digits[2..], 8),
        [b'0', _, ..] => (&digits[1..], 8),
        _ => (digits, 10),
    };
    !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)) && u64::from_str_radix(digits, radix).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_exactly_where_upstream_quotes_them() {
        for (text, expected) in [
            ("plain", Style::Plain),
            ("with space", Style::Plain),
            ("a:b", Style::Plain),
            ("-a", Style::Plain),
            ("/", Style::Plain),
            ("1500m", Style::Plain),
            ("1Gi", Style::Plain),
            ("1.2.3", Style::Plain),
            ("10.0.0.1", Style::Plain),
            ("dg==", Style::Plain),
            ("a: b", Style::SingleQuoted),
            ("a:", Style::SingleQuoted),
            ("- a", Style::SingleQuoted),
            ("*x", Style::SingleQuoted),
            ("{}", Style::SingleQuoted),
            ("@x", Style::SingleQuoted),
            ("trailing ", Style::SingleQuoted),
            ("", Style::DoubleQuoted),
            ("80", Style::DoubleQuoted),
            ("0x1f", Style::DoubleQuoted),
            ("1_000", Style::DoubleQuoted),
            ("1e3", Style::DoubleQuoted),
            (".5", Style::DoubleQuoted),
            ("12:30", Style::DoubleQuoted),
            ("y", Style::DoubleQuoted),
            ("Off", Style::DoubleQuoted),
            ("2026-01-02T03:04:05Z", Style::DoubleQuoted),
            ("a\tb", Style::DoubleQuoted),
            ("a\nb", Style::Literal),
            ("a \nb", Style::DoubleQuoted),
        ] {
            assert_eq!(style(text, false), expected, "{text:?}");
        }
    }
}

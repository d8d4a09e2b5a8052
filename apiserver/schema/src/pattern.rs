//! Go's regular expressions by way of the `regex` crate.
//!
//! The two share their syntax but for a few corners: in Go `\d`, `\w`, `\s` and `\b` are ASCII, and `[`, `&` and `~` are
//! plain characters inside a class.

use regex::Regex;

/// Compiles a pattern as Go reads it.
///
/// # Errors
/// The pattern is no regular expression.
pub(crate) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&translate(pattern))
}

/// The error in the words of Go's regexp package, for the mistakes that people make.
pub(crate) fn go_error(pattern: &str, error: &regex::Error) -> String {
    let text = error.to_string();
    let says = |words: &str| text.contains(words);
    let at_repetition = || pattern.find(['*', '+', '?', '{']).map_or(pattern, |at| &pattern[at..=at]);
    let (problem, part) = if says("look-around") {
        let start = ["(?!", "(?=", "(?<!", "(?<="].into_iter().filter_map(|s| Some((pattern.find(s)?, s))).min();
        ("invalid or unsupported Perl syntax", start.map_or(pattern, |(_, s)| &s[..3]))
    } else if says("unclosed group") {
        ("missing closing )", pattern)
    } else if says("unopened group") {
        ("unexpected )", pattern)
    } else if says("unclosed character class") {
        ("missing closing ]", pattern.rfind('[').map_or(pattern, |at| &pattern[at..]))
    } else if says("repetition operator missing expression") {
        ("missing argument to repetition operator", at_repetition())
    } else if says("backreferences are not supported") || says("unrecognized escape sequence") {
        let at = pattern.find('\\').unwrap_or(0);
        let end = pattern[at..].char_indices().nth(2).map_or(pattern.len(), |(end, _)| at + end);
        ("invalid escape sequence", &pattern[at..end])
    } else if says("incomplete escape sequence") {
        return "error parsing regexp: trailing backslash at end of expression: ``".to_owned();
    } else {
        ("invalid syntax", pattern)
    };
    format!("error parsing regexp: {problem}: `{part}`")
}

fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    // `]` right after `[` or `[^` is a member, not the end.
    let mut class_start = false;
    while let Some(c) = chars.next() {
        let first = std::mem::take(&mut class_start);
        match c {
            '\\' => match chars.next() {
                Some('d') => out.push_str("[0-9]"),
                Some('D') => out.push_str("[^0-9]"),
                Some('w') => out.push_str("[0-9A-Za-z_]"),
                Some('W') => out.push_str("[^0-9A-Za-z_]"),
                Some('s') => out.push_str("[\\t\\n\\x0C\\r ]"),
                Some('S') => out.push_str("[^\\t\\n\\x0C\\r ]"),
                Some(word @ ('b' | 'B')) if !in_class => {
                    out.push_str("(?-u:\\");
                    out.push(word);
                    out.push(')');
                }
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            '[' if !in_class => {
                in_class = true;
                class_start = true;
                out.push('[');
                if chars.peek() == Some(&'^') {
                    chars.next();
                    out.push('^');
                }
            }
            '[' if chars.peek() == Some(&':') => {
                out.push('[');
                for c in chars.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            ']' if in_class && first => out.push_str("\\]"),
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '[' | '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, text, matches) in [
            (r"^\d+$", "12", true),
            (r"^\d+$", "١٢", false),
            (r"^\w$", "ä", false),
            (r"^[\w.-]+$", "a_b.c-d", true),
            (r"^[^\s]+$", "a b", false),
            (r"^[[&~]+$", "[&~", true),
            (r"^[]a]+$", "]a", true),
            (r"^[[:alpha:]]+$", "abc", true),
            (r"^\p{Lu}\d{2}$", "Ä12", true),
            (r"\bfoo\b", "a foo b", true),
        ] {
            let regex = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(regex.is_match(text), matches, "{pattern} on {text}");
        }
        assert!(compile("(").is_err());
    }
}

//! `fieldPath`: where below its value a rule says that the error is.

use serde_json::Value;

/// Where a path leads.
#[derive(Debug)]
pub struct FieldAt<'a> {
    /// The path as errors show it (`.spec.a`, `.spec['a']` as written in a rule), without the first dot.
    pub shown: String,
    /// Its first name.
    pub root: String,
    /// The schema of the field.
    pub schema: &'a Value,
}

/// The field of `schema` that a path of `.name` and, with `brackets`, `['name']` leads to.
///
/// # Errors
/// Why there is none, in upstream's words.
pub fn find<'a>(path: &str, schema: &'a Value, brackets: bool) -> Result<FieldAt<'a>, String> {
    let mut found = FieldAt { shown: String::new(), root: String::new(), schema };
    let mut tokens = Tokens(path);
    let end = || "unexpected end of JSON path".to_owned();
    while let Some(token) = tokens.next() {
        match token {
            "[" if !brackets => return Err("array notation is not allowed".to_owned()),
            "[" => {
                let token = tokens.next().ok_or_else(end)?;
                let quoted = token.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
                let quoted = quoted.ok_or_else(|| format!("expected single quoted string but got {token}"))?;
                let name = unescape(quoted)?;
                found.enter(&name)?;
                match tokens.next().ok_or_else(end)? {
                    "]" => {}
                    other => return Err(format!("expected ] but got {other}")),
                }
            }
            "." => found.enter(tokens.next().ok_or_else(end)?)?,
            other => return Err(format!("expected [ or . but got: {other}")),
        }
    }
    Ok(found)
}

impl FieldAt<'_> {
    fn enter(&mut self, name: &str) -> Result<(), String> {
        let nowhere = || "does not refer to a valid field".to_owned();
        let properties = self.schema.get("properties").and_then(Value::as_object).filter(|all| !all.is_empty());
        if let Some(properties) = properties {
            self.schema = properties.get(name).ok_or_else(nowhere)?;
            if !self.shown.is_empty() {
                self.shown.push('.');
            }
            self.shown.push_str(name);
        } else {
            self.schema = self.schema.get("additionalProperties").filter(|of| !of.is_null()).ok_or_else(nowhere)?;
            self.shown.push_str(&format!("[{name}]"));
        }
        if self.root.is_empty() {
            self.root = self.shown.clone();
        }
        Ok(())
    }
}

/// The path as errors show it; `None` if it does not lead to a field of the schema.
pub(super) fn of(path: &str, schema: &Value) -> Option<String> {
    if path.is_empty() {
        return None;
    }
    find(path, schema, true).ok().map(|found| found.shown)
}

/// A path's delimiters, quoted names and what stands between them.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0;
        let end = match text.as_bytes().first()? {
            b'.' | b'[' | b']' => 1,
            b'\'' => closing_quote(&text[1..]).map_or(text.len(), |at| at + 2),
            _ => text.find(['.', '[', ']']).unwrap_or(text.len()),
        };
        let (token, rest) = text.split_at(end);
        self.0 = rest;
        Some(token)
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len()).find(|at| bytes[*at] == b'\'' && (*at == 0 || bytes[*at - 1] != b'\\'))
}

fn unescape(text: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        plain.push(match char {
            '\\' => match chars.next() {
                Some('a') => '\x07',
                Some('b') => '\x08',
                Some('f') => '\x0c',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('v') => '\x0b',
                Some(char @ ('\'' | '\\')) => char,
                Some(char) => return Err(format!("invalid string literal: invalid escape char \\{char}")),
                None => '\\',
            },
            char => char,
        });
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_that_leads_nowhere_says_why() {
        let schema = json!({"properties": {"a": {"type": "string"}}});
        for (path, why) in [
            (".b", "does not refer to a valid field"),
            (".a.b", "does not refer to a valid field"),
            ("a", "expected [ or . but got: a"),
            (".", "unexpected end of JSON path"),
            (".a['b", "expected single quoted string but got 'b"),
            ("['a'", "unexpected end of JSON path"),
            ("['a'.b", "expected ] but got ."),
            ("['\\x']", "invalid string literal: invalid escape char \\x"),
            (".a[0]", "expected single quoted string but got 0"),
        ] {
            assert_eq!(find(path, &schema, true).map(|found| found.shown), Err(why.to_owned()), "{path}");
        }
        let why = find(".a[0]", &schema, false).map(|found| found.shown);
        assert_eq!(why, Err("array notation is not allowed".to_owned()));
    }

    #[test]
    fn a_path_leads_to_fields_of_the_schema_alone() {
        let schema = json!({"properties": {"a": {"properties": {"b.c": {"type": "string"}}}, "m": {"additionalProperties": {"type": "string"}}}});
        for (path, shown) in [
            (".a", Some("a")),
            (".a['b.c']", Some("a.b.c")),
            ("['a']", Some("a")),
            (".m.k", Some("m[k]")),
            (".b", None),
            ("a", None),
            (".a[0]", None),
            (".a['b", None),
            ("", None),
        ] {
            assert_eq!(of(path, &schema).as_deref(), shown, "{path}");
        }
    }
}

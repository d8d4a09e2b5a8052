//! `fieldPath`: where below its value a rule says that the error is.

use serde_json::Value;

/// The path as errors show it (`.spec.a`, `.spec['a']` as written in a rule), without the first dot; `None` if it does
/// not lead to a field of the schema.
pub(super) fn of(path: &str, schema: &Value) -> Option<String> {
    if path.is_empty() {
        return None;
    }
    let (mut schema, mut rest) = (schema, path);
    let mut shown = String::new();
    while !rest.is_empty() {
        let name;
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[', ']']).unwrap_or(after.len());
            name = after[..end].to_owned();
            rest = &after[end..];
        } else {
            let after = rest.strip_prefix("['")?;
            let end = closing_quote(after)?;
            name = unescape(&after[..end])?;
            rest = after[end + 1..].strip_prefix(']')?;
        }
        if name.is_empty() {
            return None;
        }
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            schema = properties.get(&name)?;
            if !shown.is_empty() {
                shown.push('.');
            }
            shown.push_str(&name);
        } else {
            schema = schema.get("additionalProperties").filter(|of| of.is_object())?;
            shown.push_str(&format!("[{name}]"));
        }
    }
    Some(shown)
}

/// Whether a path leads to a field of the schema.
pub(super) fn is_valid(path: &str, schema: &Value) -> bool {
    of(path, schema).is_some()
}

fn closing_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len()).find(|at| bytes[*at] == b'\'' && (*at == 0 || bytes[*at - 1] != b'\\'))
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        plain.push(match char {
            '\\' => match chars.next()? {
                'a' => '\x07',
                'b' => '\x08',
                'f' => '\x0c',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\x0b',
                '\'' => '\'',
                '\\' => '\\',
                _ => return None,
            },
            char => char,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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

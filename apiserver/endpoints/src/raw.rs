//! Fields of an object's JSON text, found without parsing what is in them.

use std::ops::Range;

/// One field of an object.
pub(crate) struct Field {
    /// The name as written, escapes and all, without its quotes.
    pub name: Range<usize>,
    /// From the name's opening quote to the end of the value.
    pub whole: Range<usize>,
    /// The value.
    pub value: Range<usize>,
}

/// The fields of a JSON object, in their order. Of text that is no JSON object there are none, or some.
pub(crate) fn fields(json: &[u8]) -> Fields<'_> {
    let mut fields = Fields { json, at: 0 };
    fields.space();
    match json.get(fields.at) {
        Some(b'{') => fields.at += 1,
        _ => fields.at = json.len(),
    }
    fields
}

/// The value of a field.
pub(crate) fn field<'a>(json: &'a [u8], name: &str) -> Option<&'a [u8]> {
    fields(json).find(|field| &json[field.name.clone()] == name.as_bytes()).map(|field| &json[field.value])
}

/// An iterator over [`Field`]s.
pub(crate) struct Fields<'a> {
    json: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Goes behind the string whose opening quote is here.
    fn string(&mut self) {
        self.at += 1;
        while let Some(found) = memchr::memchr2(b'"', b'\\', self.json.get(self.at..).unwrap_or_default()) {
            self.at += found + 1;
            if self.json[self.at - 1] == b'"' {
                return;
            }
            self.at += 1;
        }
        self.at = self.json.len();
    }

    /// Goes behind the value that begins here.
    fn value(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                None => return,
                Some(b'"') => {
                    self.string();
                    if depth == 0 {
                        return;
                    }
                }
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                }
                Some(b'}' | b']') => {
                    if depth == 0 {
                        return;
                    }
                    depth -= 1;
                    self.at += 1;
                    if depth == 0 {
                        return;
                    }
                }
                Some(b',') if depth == 0 => return,
                Some(_) => self.at += 1,
            }
        }
    }
}

impl Iterator for Fields<'_> {
    type Item = Field;

    fn next(&mut self) -> Option<Field> {
        self.space();
        if self.peek()? == b',' {
            self.at += 1;
            self.space();
        }
        if self.peek()? != b'"' {
            self.at = self.json.len();
            return None;
        }
        let start = self.at;
        self.string();
        let name = start + 1..self.at.saturating_sub(1).max(start + 1);
        self.space();
        if self.peek()? != b':' {
            self.at = self.json.len();
            return None;
        }
        self.at += 1;
        self.space();
        let value_start = self.at;
        self.value();
        // A number or word may be followed by spaces.
        let mut end = self.at;
        while end > value_start && self.json[end - 1].is_ascii_whitespace() {
            end -= 1;
        }
        Some(Field { name, whole: start..end, value: value_start..end })
    }
}

/// Where the rest of an object begins whose first fields are `apiVersion` and `kind`, as those of built-in kinds are; `None` if
/// they are elsewhere, or all there is.
pub(crate) fn after_type_meta(json: &[u8]) -> Option<usize> {
    let mut fields = fields(json);
    for _ in 0..2 {
        let field = fields.next()?;
        if !matches!(&json[field.name], b"apiVersion" | b"kind") {
            return None;
        }
    }
    fields.space();
    if fields.peek()? != b',' {
        return None;
    }
    fields.at += 1;
    fields.space();
    (fields.peek()? == b'"').then_some(fields.at)
}

/// Appends an object without its `apiVersion` and `kind`, as upstream lists the objects of built-in kinds. The rest of the
/// text is not looked at once both are found.
pub(crate) fn push_without_type_meta(json: &[u8], out: &mut Vec<u8>) {
    out.push(b'{');
    let begin = out.len();
    let mut found = 0;
    let mut fields = fields(json);
    while found < 2 {
        let Some(field) = fields.next() else { break };
        if matches!(&json[field.name.clone()], b"apiVersion" | b"kind") {
            found += 1;
            continue;
        }
        if out.len() > begin {
            out.push(b',');
        }
        out.extend_from_slice(&json[field.whole]);
    }
    let mut rest = json.get(fields.at..).unwrap_or_default().trim_ascii_start();
    if out.len() == begin {
        rest = rest.strip_prefix(b",").unwrap_or(rest);
    }
    out.extend_from_slice(if rest.is_empty() { b"}" } else { rest });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_anything() {
        let json = br#" { "a" : "}\"," , "b":{"c":[1,{"d":"]"}]}, "e":-1.5e3 ,"f":null,"g":[] }"#;
        for (name, value) in
            [("a", r#""}\",""#), ("b", r#"{"c":[1,{"d":"]"}]}"#), ("e", "-1.5e3"), ("f", "null"), ("g", "[]")]
        {
            assert_eq!(field(json, name).map(String::from_utf8_lossy).as_deref(), Some(value), "{name}");
        }
        assert_eq!(field(json, "c"), None);
    }

    #[test]
    fn text_that_is_no_object_has_no_fields() {
        for json in [&b""[..], b"[]", b"\"", b"{", b"{\"", b"{\"a", b"{\"a\"", b"{\"a\":", b"{\"a\\", b"{a:1}", b"null"]
        {
            let _ = fields(json).count();
            assert_eq!(field(json, "a").unwrap_or_default(), b"", "{}", String::from_utf8_lossy(json));
        }
    }

    #[test]
    fn kind_and_version_are_left_out() {
        for (json, expected) in [
            (r#"{"apiVersion":"v1","kind":"Pod","metadata":{}}"#, r#"{"metadata":{}}"#),
            (
                r#"{"apiVersion":"v1","data":{"kind":"x"},"kind":"C","metadata":{}}"#,
                r#"{"data":{"kind":"x"},"metadata":{}}"#,
            ),
            (r#"{"aggregationRule":1,"apiVersion":"v1","kind":"C"}"#, r#"{"aggregationRule":1}"#),
            (r#"{"apiVersion":"v1","kind":"C"}"#, "{}"),
            (r#"{"kind":"C","apiVersion":"v1","data":{"kind":"x"}}"#, r#"{"data":{"kind":"x"}}"#),
            (r#"{"metadata":{},"spec":{}}"#, r#"{"metadata":{},"spec":{}}"#),
        ] {
            let mut out = Vec::new();
            push_without_type_meta(json.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
            if let Some(rest) = after_type_meta(json.as_bytes()) {
                assert_eq!(format!("{{{}", &json[rest..]), expected);
            }
        }
    }
}

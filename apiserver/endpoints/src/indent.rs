//! Indented JSON for people, in the order it has.

use memchr::memchr2;

/// What a level is indented by.
const INDENT: &[u8] = b"  ";

/// Compact JSON with each field and item on a line of its own, as Go's `json.Indent` makes it.
pub(crate) fn indented(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        at += 1;
        match byte {
            b'"' => {
                let end = string_end(json, at);
                out.extend_from_slice(&json[at - 1..end]);
                at = end;
            }
            b'{' | b'[' => {
                out.push(byte);
                depth += 1;
                // What is empty stays together.
                match json.get(at) {
                    Some(b'}' | b']') => {}
                    _ => line(&mut out, depth),
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if !matches!(json.get(at.wrapping_sub(2)), Some(b'{' | b'[')) {
                    line(&mut out, depth);
                }
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            b'\n' => {}
            _ => out.push(byte),
        }
    }
    out
}

fn line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    for _ in 0..depth {
        out.extend_from_slice(INDENT);
    }
}

/// Behind the closing quote of the string that begins here.
fn string_end(json: &[u8], mut at: usize) -> usize {
    while let Some(found) = memchr2(b'"', b'\\', json.get(at..).unwrap_or_default()) {
        at += found + 1;
        if json[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_items_get_lines_of_their_own() {
        for (json, want) in [
            ("{}", "{}"),
            ("[]", "[]"),
            (r#"{"b":1,"a":[]}"#, "{\n  \"b\": 1,\n  \"a\": []\n}"),
            (r#"[{"a":"{\",:"},null]"#, "[\n  {\n    \"a\": \"{\\\",:\"\n  },\n  null\n]"),
            ("{\"a\":{}}\n", "{\n  \"a\": {}\n}"),
        ] {
            assert_eq!(String::from_utf8_lossy(&indented(json.as_bytes())), want);
        }
    }

    #[test]
    fn what_is_no_json_is_no_panic() {
        for json in ["\"", "\"\\", "}", "]]", "{", "[[[", ",:", "\\"] {
            let _ = indented(json.as_bytes());
        }
    }
}

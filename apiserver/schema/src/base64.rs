//! Base64 as Go reads and writes it.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;

/// Base64 as Go reads it, written again in its canonical form; the error is the offset Go complains of.
///
/// Go skips line ends, and does not mind bits beyond the last byte.
pub(crate) fn canonical(text: &str) -> Result<Option<String>, usize> {
    if STANDARD.decode(text).is_ok() {
        return Ok(None);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    let next = |mut at: usize| {
        while matches!(bytes.get(at), Some(b'\n' | b'\r')) {
            at += 1;
        }
        at
    };
    let mut at = 0;
    loop {
        let mut sextets = [0_u8; 4];
        let mut filled = 0;
        while filled < 4 {
            at = next(at);
            let Some(&byte) = bytes.get(at) else {
                if filled == 0 {
                    return Ok(Some(STANDARD.encode(out)));
                }
                return Err(at - filled);
            };
            at += 1;
            if let Some(sextet) = sextet(byte) {
                sextets[filled] = sextet;
                filled += 1;
                continue;
            }
            if byte != b'=' || filled < 2 {
                return Err(at - 1);
            }
            if filled == 2 {
                at = next(at);
                match bytes.get(at) {
                    None => return Err(bytes.len()),
                    Some(b'=') => at += 1,
                    Some(_) => return Err(at - 1),
                }
            }
            at = next(at);
            if at < bytes.len() {
                return Err(at);
            }
            break;
        }
        let group = sextets.iter().fold(0_u32, |n, s| n << 6 | u32::from(*s)).to_be_bytes();
        out.extend_from_slice(&group[1..filled.max(1)]);
        if filled < 4 {
            return Ok(Some(STANDARD.encode(out)));
        }
    }
}

/// Bytes as Go writes them.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_and_refused_as_go_does() {
        for (text, expected) in [
            ("YQ==", Ok(None)),
            ("", Ok(None)),
            ("YR==", Ok(Some("YQ=="))),
            ("YW\nJj\r\n", Ok(Some("YWJj"))),
            ("YW\nI=", Ok(Some("YWI="))),
            ("*not base64*", Err(0)),
            ("YQ", Err(0)),
            ("YWJjYQ", Err(4)),
            ("YQ=", Err(3)),
            ("YQ==x", Err(4)),
            ("abc!", Err(3)),
            ("a===", Err(1)),
        ] {
            assert_eq!(canonical(text), expected.map(|e: Option<&str>| e.map(str::to_owned)), "{text:?}");
        }
    }
}

//! The value of a string or bytes token.

/// The characters of a quoted string.
pub(crate) fn string(token: &str) -> Result<String, &'static str> {
    let (body, raw) = body(token);
    let mut text = String::with_capacity(body.len());
    each(body, raw, |part| {
        match part {
            Part::Char(char) => text.push(char),
            // As upstream: in a string an octal or hexadecimal escape is a code point.
            Part::Byte(byte) => text.push(char::from(byte)),
        }
    })?;
    Ok(text)
}

/// The bytes of a quoted string, without its `b`.
pub(crate) fn bytes(token: &str) -> Result<Vec<u8>, &'static str> {
    let (body, raw) = body(token);
    let mut bytes = Vec::with_capacity(body.len());
    let mut wide = false;
    each(body, raw, |part| match part {
        Part::Char(char) => bytes.extend(char.encode_utf8(&mut [0; 4]).bytes()),
        Part::Byte(byte) => bytes.push(byte),
    })?;
    // Bytes have no escapes of Unicode.
    if !raw {
        let mut rest = body;
        while let Some(at) = rest.find('\\') {
            let after = &rest[at + 1..];
            wide |= after.starts_with(['u', 'U']);
            rest = after.get(1..).unwrap_or_default();
        }
    }
    if wide { Err("unable to unescape string") } else { Ok(bytes) }
}

fn body(token: &str) -> (&str, bool) {
    let unprefixed = token.trim_start_matches(['r', 'R']);
    let raw = unprefixed.len() < token.len();
    let quotes = if unprefixed.len() >= 6 && (unprefixed.starts_with("'''") || unprefixed.starts_with("\"\"\"")) {
        3
    } else {
        1
    };
    (&unprefixed[quotes..unprefixed.len() - quotes], raw)
}

enum Part {
    Char(char),
    Byte(u8),
}

fn each(body: &str, raw: bool, mut part: impl FnMut(Part)) -> Result<(), &'static str> {
    const BAD: &str = "unable to unescape string";
    // Lines end in one way, however they were written.
    let body = body.replace("\r\n", "\n").replace('\r', "\n");
    if raw {
        body.chars().for_each(|char| part(Part::Char(char)));
        return Ok(());
    }
    let mut chars = body.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            part(Part::Char(char));
            continue;
        }
        let escape = chars.next().ok_or(BAD)?;
        let mut digits = |count: usize, radix: u32, first: Option<char>| {
            let digits: String = first.into_iter().chain(chars.by_ref().take(count)).collect();
            u32::from_str_radix(&digits, radix).map_err(|_| BAD)
        };
        part(match escape {
            'a' => Part::Char('\x07'),
            'b' => Part::Char('\x08'),
            'f' => Part::Char('\x0c'),
            'n' => Part::Char('\n'),
            'r' => Part::Char('\r'),
            't' => Part::Char('\t'),
            'v' => Part::Char('\x0b'),
            '\\' | '\'' | '"' | '`' | '?' => Part::Char(escape),
            'x' | 'X' => Part::Byte(u8::try_from(digits(2, 16, None)?).map_err(|_| BAD)?),
            'u' => Part::Char(char::from_u32(digits(4, 16, None)?).ok_or(BAD)?),
            'U' => Part::Char(char::from_u32(digits(8, 16, None)?).ok_or(BAD)?),
            '0'..='3' => Part::Byte(u8::try_from(digits(2, 8, Some(escape))?).map_err(|_| BAD)?),
            _ => return Err(BAD),
        });
    }
    Ok(())
}

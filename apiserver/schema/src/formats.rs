//! String formats that upstream checks in custom resources.

use std::net::IpAddr;
use std::sync::LazyLock;

use regex::Regex;

use apimachinery::time::parse_time;

/// Whether `text` is of a format upstream knows; `None` if it knows no such format. Dashes in format names do not count.
pub(crate) fn check(format: &str, text: &str) -> Option<bool> {
    let valid = match &*format.replace('-', "") {
        "bsonobjectid" => text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit()),
        "uri" => is_request_uri(text),
        "email" => is_email(text),
        "hostname" => is_hostname(text),
        "ipv4" => text.contains('.') && parse_ip(text).is_some(),
        "ipv6" => text.contains(':') && parse_ip(text).is_some(),
        "cidr" => is_cidr(text),
        "mac" => is_mac(text),
        "uuid" => is_uuid(text, None),
        "uuid3" => is_uuid(text, Some(b'3')),
        "uuid4" => is_uuid(text, Some(b'4')),
        "uuid5" => is_uuid(text, Some(b'5')),
        "isbn" => is_isbn10(text) || is_isbn13(text),
        "isbn10" => is_isbn10(text),
        "isbn13" => is_isbn13(text),
        "creditcard" => is_credit_card(text),
        "ssn" => matches(&SSN, text),
        "hexcolor" => matches(&HEX_COLOR, text),
        "rgbcolor" => matches(&RGB_COLOR, text),
        "byte" => matches(&BASE64, text),
        "password" => true,
        "date" => is_date(text),
        "duration" => is_duration(text),
        "datetime" => is_date_time(text),
        "k8sshortname" => text.len() <= 63 && matches(&SHORT_NAME, text),
        "k8slongname" => text.len() <= 253 && matches(&LONG_NAME, text),
        _ => return None,
    };
    Some(valid)
}

/// Whether upstream checks a format on values of a type (`None`: of no single type); others are published and ignored.
pub(crate) fn is_supported(format: &str, single_type: Option<&str>) -> bool {
    match single_type {
        None | Some("string") => check(format, "").is_some(),
        Some("integer") => matches!(format, "int32" | "int64"),
        Some("number") => matches!(format, "float" | "double"),
        Some(_) => false,
    }
}

type Lazy = LazyLock<Option<Regex>>;

fn matches(regex: &Lazy, text: &str) -> bool {
    regex.as_ref().is_some_and(|r| r.is_match(text))
}

static SSN: Lazy = LazyLock::new(|| Regex::new(r"^[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}$").ok());
static HEX_COLOR: Lazy = LazyLock::new(|| Regex::new(r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$").ok());
static RGB_COLOR: Lazy = LazyLock::new(|| {
    let part = r"\s*(0|[1-9][0-9]?|1[0-9][0-9]?|2[0-4][0-9]|25[0-5])\s*";
    Regex::new(&format!(r"^rgb\({part},{part},{part}\)$")).ok()
});
static BASE64: Lazy = LazyLock::new(|| {
    let c = "[A-Za-z0-9+/]";
    Regex::new(&format!("^(?:{c}{{4}})*(?:{c}{{2}}==|{c}{{3}}=|{c}{{4}})$")).ok()
});
static SHORT_NAME: Lazy = LazyLock::new(|| Regex::new("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$").ok());
static LONG_NAME: Lazy =
    LazyLock::new(|| Regex::new(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$").ok());
static CREDIT_CARD: Lazy = LazyLock::new(|| {
    let brands = r"4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35[0-9]{3})[0-9]{11}";
    Regex::new(&format!("^(?:{brands})$")).ok()
});
static DATE_TIME: Lazy =
    LazyLock::new(|| Regex::new(r"^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$").ok());
/// What labels of host names are made of.
static LABEL: Lazy = LazyLock::new(|| Regex::new(r"^[-a-zA-Z0-9\p{S}\p{L}]+$").ok());
static LETTERS: Lazy = LazyLock::new(|| Regex::new(r"^\p{L}+$").ok());
static SCALA_DURATION: Lazy = LazyLock::new(|| Regex::new(r"([0-9]+)[\t\n\x0C\r ]*([A-Za-zµ]+)").ok());

/// Labels of letters, digits and symbols with inner dashes, the last of letters alone; or a single label, in which a dash
/// stands second if at all.
fn is_hostname(text: &str) -> bool {
    if text.len() > 255 || !text.split('.').all(|label| label.len() <= 63 && matches(&LABEL, label)) {
        return false;
    }
    let Some((names, last)) = text.rsplit_once('.') else {
        let mut rest = text.chars();
        let starts = rest.next().is_some_and(|first| first != '-');
        let rest = rest.as_str();
        return starts && !rest.strip_prefix('-').unwrap_or(rest).contains('-');
    };
    last.chars().count() >= 2
        && matches(&LETTERS, last)
        && names.split('.').all(|label| !label.starts_with('-') && !label.ends_with('-'))
}

/// An address as Go read it before 1.17: IPv4 parts may have leading zeros.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let (head, v4) = match text.rfind(':') {
        Some(at) if text[at..].contains('.') => text.split_at(at + 1),
        Some(_) => return text.parse().ok(),
        None => ("", text),
    };
    let parts: Vec<&str> = v4.split('.').collect();
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if parts.len() != 4 || !parts.iter().all(digits) {
        return None;
    }
    let short: Vec<&str> =
        parts.iter().map(|part| part.trim_start_matches('0')).map(|p| if p.is_empty() { "0" } else { p }).collect();
    format!("{head}{}", short.join(".")).parse().ok()
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let most = match parse_ip(address) {
        Some(IpAddr::V4(_)) => 32,
        Some(IpAddr::V6(_)) => 128,
        None => return false,
    };
    bits.bytes().all(|b| b.is_ascii_digit()) && bits.parse::<u32>().is_ok_and(|bits| bits <= most)
}

/// EUI-48, EUI-64 or a 20-octet InfiniBand address, with colons, dashes, or dots after every second octet.
fn is_mac(text: &str) -> bool {
    let (separator, digits) = match text.as_bytes() {
        [_, _, s @ (b':' | b'-'), ..] => (char::from(*s), 2),
        [_, _, _, _, b'.', ..] => ('.', 4),
        _ => return false,
    };
    let mut octets = 0;
    for part in text.split(separator) {
        if part.len() != digits || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
            return false;
        }
        octets += digits / 2;
    }
    matches!(octets, 6 | 8 | 20)
}

/// 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12 with optional dashes between.
fn is_uuid(text: &str, version: Option<u8>) -> bool {
    let mut digits = Vec::with_capacity(32);
    let mut dash_allowed = false;
    for byte in text.bytes() {
        match byte {
            b'-' if dash_allowed => dash_allowed = false,
            b if b.is_ascii_hexdigit() => {
                digits.push(b.to_ascii_lowercase());
                dash_allowed = matches!(digits.len(), 8 | 12 | 16 | 20);
            }
            _ => return false,
        }
    }
    let variant = |d: &[u8]| !matches!(version, Some(b'4' | b'5')) || matches!(d[16], b'8' | b'9' | b'a' | b'b');
    digits.len() == 32 && !dash_allowed && version.is_none_or(|v| digits[12] == v) && variant(&digits)
}

fn isbn_digits(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ' ' | '-' | '\t' | '\n' | '\r' | '\x0C')).collect()
}

fn is_isbn10(text: &str) -> bool {
    let digits = isbn_digits(text);
    let bytes = digits.as_bytes();
    if bytes.len() != 10 || !bytes[..9].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let last = match bytes[9] {
        b'X' => 10,
        b if b.is_ascii_digit() => u32::from(b - b'0'),
        _ => return false,
    };
    let sum: u32 = (1..).zip(&bytes[..9]).map(|(n, b)| n * u32::from(b - b'0')).sum();
    (sum + 10 * last).is_multiple_of(11)
}

fn is_isbn13(text: &str) -> bool {
    let digits = isbn_digits(text);
    let bytes = digits.as_bytes();
    if bytes.len() != 13 || !bytes.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let sum: u32 = bytes.iter().enumerate().map(|(at, b)| u32::from(b - b'0') * if at % 2 == 0 { 1 } else { 3 }).sum();
    sum.is_multiple_of(10)
}

fn is_credit_card(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if !matches(&CREDIT_CARD, &digits) {
        return false;
    }
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, b)| {
            let digit = u32::from(b - b'0');
            if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    sum.is_multiple_of(10)
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && parse_time(&format!("{text}T00:00:00Z")).is_ok()
}

fn is_date_time(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut parts = lower.split('t');
    let (Some(date), Some(time)) = (parts.next(), parts.next()) else { return false };
    let Some(captures) = DATE_TIME.as_ref().and_then(|r| r.captures(time)) else { return false };
    is_date(date) && &captures[1] <= "23" && &captures[2] <= "59" && &captures[3] <= "59"
}

/// Go's durations (`1h30m`), or Scala's (`2 days`): then a number with a unit anywhere is enough.
fn is_duration(text: &str) -> bool {
    if is_go_duration(text) {
        return true;
    }
    let Some(regex) = SCALA_DURATION.as_ref() else { return false };
    let mut found = false;
    for captures in regex.captures_iter(text) {
        if captures[1].parse::<i64>().is_err() {
            return false;
        }
        let unit = captures[2].to_lowercase();
        const EXACT: [&str; 11] = ["ns", "us", "µs", "ms", "s", "m", "h", "hr", "d", "w", "wk"];
        const PREFIX: [&str; 8] = ["nano", "micro", "milli", "sec", "min", "hour", "day", "week"];
        found |= EXACT.contains(&&*unit) || PREFIX.iter().any(|p| unit.starts_with(p));
    }
    found
}

fn is_go_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (number, after) = rest.split_at(number);
        if number.matches('.').count() > 1 || !number.bytes().any(|b| b.is_ascii_digit()) {
            return false;
        }
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        if !matches!(unit, "ns" | "us" | "µs" | "μs" | "ms" | "s" | "m" | "h") {
            return false;
        }
        rest = after;
    }
    true
}

/// What Go's `url.ParseRequestURI` takes: an absolute URI or an absolute path.
fn is_request_uri(text: &str) -> bool {
    if text.is_empty() || text.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return false;
    }
    if text == "*" {
        return true;
    }
    let (scheme, rest) = match text.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))) {
        Some(0) if text.starts_with(':') => return false,
        Some(at) if text[at..].starts_with(':') && text.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            (true, &text[at + 1..])
        }
        _ => (false, text),
    };
    let rest = rest.split_once('?').map_or(rest, |(path, _)| path);
    if !rest.starts_with('/') {
        // `mailto:x@y` is opaque.
        return scheme;
    }
    let path = match rest.strip_prefix("//") {
        Some(authority) if scheme || !rest.starts_with("///") => {
            let end = authority.find('/').unwrap_or(authority.len());
            if !is_authority(&authority[..end]) {
                return false;
            }
            &authority[end..]
        }
        _ => rest,
    };
    escapes_are_whole(path)
}

fn is_authority(text: &str) -> bool {
    let host = match text.rsplit_once('@') {
        Some((user, host)) => {
            if !user.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b)) {
                return false;
            }
            host
        }
        None => text,
    };
    let (name, port) = match host.strip_prefix('[') {
        Some(inner) => match inner.split_once(']') {
            Some((name, port)) => (name, port),
            None => return false,
        },
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let port_is_valid =
        port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()));
    let forbidden = |b: u8| matches!(b, b' ' | b'^' | b'`' | b'{' | b'|' | b'}' | b'\\' | b'#');
    port_is_valid && !name.bytes().any(forbidden) && escapes_are_whole(name)
}

fn escapes_are_whole(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'%')
        .all(|(at, _)| bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)))
}

/// What Go's `mail.ParseAddress` takes: `local@domain`, or a name and that in angle brackets.
fn is_email(text: &str) -> bool {
    let text = text.trim_matches([' ', '\t']);
    match text.strip_suffix('>') {
        Some(inner) => match inner.rsplit_once('<') {
            Some((name, address)) => is_phrase(name.trim()) && is_addr_spec(address),
            None => false,
        },
        None => is_addr_spec(text),
    }
}

fn is_phrase(text: &str) -> bool {
    if let Some(quoted) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        return is_quoted(quoted);
    }
    text.split([' ', '\t']).filter(|word| !word.is_empty()).all(|word| word.chars().all(|c| is_atext(c) || c == '.'))
}

fn is_addr_spec(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let local_is_valid = match local.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        Some(quoted) => is_quoted(quoted),
        None => is_dot_atom(local),
    };
    let literal = domain.strip_prefix('[').and_then(|d| d.strip_suffix(']'));
    local_is_valid
        && literal.map_or_else(|| is_dot_atom(domain), |ip| parse_ip(ip.trim_start_matches("IPv6:")).is_some())
}

fn is_quoted(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.next().is_none() => return false,
            '"' => return false,
            c if c.is_control() && c != '\t' => return false,
            _ => {}
        }
    }
    true
}

fn is_dot_atom(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii()
}

//! Formats of names and values. Each check answers a list of messages, empty when the text is right.

/// Why a text does not have a format, each in upstream's words.
pub type Messages = Vec<String>;

/// A rule for an object's name; `prefix` is true for a generateName, to which a suffix will be added.
pub type NameFn = fn(name: &str, prefix: bool) -> Messages;

/// The longest RFC 1123 label.
pub const DNS1123_LABEL_MAX: usize = 63;
/// The longest RFC 1123 subdomain.
pub const DNS1123_SUBDOMAIN_MAX: usize = 253;
/// The longest label value, and the longest name part of a label key.
pub const LABEL_MAX: usize = 63;

const DNS1123_LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const DNS1123_SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const DNS1035_LABEL: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const LABEL_KEY: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

/// What upstream says of a text longer than `max`.
pub fn max_length_message(max: usize) -> String {
    format!("must be no more than {max} characters")
}

/// What upstream says of a number outside a range.
pub fn range_message(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

/// What upstream says of a text that does not match a regular expression.
pub fn regex_message(words: &str, regex: &str, examples: &[&str]) -> String {
    if examples.is_empty() {
        return format!("{words} (regex used for validation is '{regex}')");
    }
    let mut message = format!("{words} (e.g. ");
    for (i, example) in examples.iter().enumerate() {
        if i > 0 {
            message.push_str(" or ");
        }
        message.push('\'');
        message.push_str(example);
        message.push_str("', ");
    }
    message.push_str("regex used for validation is '");
    message.push_str(regex);
    message.push_str("')");
    message
}

fn is_lower_or_digit(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Whether `ends` holds for the first and last byte and `inner` for all; the text has at least one.
fn is_framed(text: &str, ends: fn(u8) -> bool, inner: fn(u8) -> bool) -> bool {
    match text.as_bytes() {
        [] => false,
        [only] => ends(*only),
        [first, middle @ .., last] => ends(*first) && ends(*last) && middle.iter().all(|byte| inner(*byte)),
    }
}

fn matches_dns1123_label(text: &str) -> bool {
    is_framed(text, is_lower_or_digit, |byte| is_lower_or_digit(byte) || byte == b'-')
}

fn matches_dns1123_subdomain(text: &str) -> bool {
    text.split('.').all(matches_dns1123_label)
}

fn matches_dns1035_label(text: &str) -> bool {
    matches_dns1123_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase())
}

fn matches_label_key(text: &str) -> bool {
    is_framed(
        text,
        |byte| byte.is_ascii_alphanumeric(),
        |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
    )
}

fn check(text: &str, max: usize, matches: fn(&str) -> bool, otherwise: impl Fn() -> String) -> Messages {
    let mut messages = Messages::new();
    if text.len() > max {
        messages.push(max_length_message(max));
    }
    if !matches(text) {
        messages.push(otherwise());
    }
    messages
}

/// An RFC 1123 label: most names of things that become host names.
pub fn is_dns1123_label(text: &str) -> Messages {
    check(text, DNS1123_LABEL_MAX, matches_dns1123_label, || {
        if matches_dns1123_subdomain(text) {
            return "must not contain dots".to_owned();
        }
        let words = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
        regex_message(words, DNS1123_LABEL, &["my-name", "123-abc"])
    })
}

/// An RFC 1123 subdomain: labels between dots.
pub fn is_dns1123_subdomain(text: &str) -> Messages {
    check(text, DNS1123_SUBDOMAIN_MAX, matches_dns1123_subdomain, || {
        let words = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
        regex_message(words, DNS1123_SUBDOMAIN, &["example.com"])
    })
}

/// An RFC 1035 label: one that starts with a letter.
pub fn is_dns1035_label(text: &str) -> Messages {
    check(text, DNS1123_LABEL_MAX, matches_dns1035_label, || {
        let words = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
        regex_message(words, DNS1035_LABEL, &["my-name", "abc-123"])
    })
}

/// `*.` and an RFC 1123 subdomain.
pub fn is_wildcard_dns1123_subdomain(text: &str) -> Messages {
    check(
        text,
        DNS1123_SUBDOMAIN_MAX,
        |text| text.strip_prefix("*.").is_some_and(matches_dns1123_subdomain),
        || {
            let words = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";
            regex_message(words, &format!(r"\*\.{DNS1123_SUBDOMAIN}"), &["*.example.com"])
        },
    )
}

/// The key of a label: a name, with a DNS subdomain and a slash before it or not.
pub fn is_qualified_name(text: &str) -> Messages {
    let words = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    let examples = &["MyName", "my.name", "123-abc"];
    let mut messages = Messages::new();
    let name = match text.split_once('/') {
        None => text,
        Some((_, name)) if name.contains('/') => {
            let message = regex_message(words, LABEL_KEY, examples);
            let rest = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a valid label key {message} {rest}")];
        }
        Some(("", name)) => {
            messages.push("prefix part must be non-empty".to_owned());
            name
        }
        Some((prefix, name)) => {
            // Here upstream counts bytes in words, too.
            let of_prefix = is_dns1123_subdomain(prefix).into_iter();
            messages.extend(of_prefix.map(|message| {
                format!("prefix part {}", message.replace("more than 253 characters", "more than 253 bytes"))
            }));
            name
        }
    };
    if name.is_empty() {
        messages.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_MAX {
        messages.push(format!("name part must be no more than {LABEL_MAX} bytes"));
    }
    if !matches_label_key(name) {
        messages.push(format!("name part {}", regex_message(words, LABEL_KEY, examples)));
    }
    messages
}

/// The value of a label; empty is right.
pub fn is_valid_label_value(text: &str) -> Messages {
    let mut messages = Messages::new();
    if text.len() > LABEL_MAX {
        messages.push(format!("must be no more than {LABEL_MAX} bytes"));
    }
    if !text.is_empty() && !matches_label_key(text) {
        let words = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
        messages.push(regex_message(words, LABEL_VALUE, &["MyValue", "my_value", "12345"]));
    }
    messages
}

/// A name that can be a segment of a URL path.
pub fn is_valid_path_segment_name(text: &str) -> Messages {
    if matches!(text, "." | "..") {
        return vec![format!("may not be '{text}'")];
    }
    is_valid_path_segment_prefix(text)
}

/// The start of a name that can be a segment of a URL path.
pub fn is_valid_path_segment_prefix(text: &str) -> Messages {
    ["/", "%"].into_iter().filter(|bad| text.contains(bad)).map(|bad| format!("may not contain '{bad}'")).collect()
}

/// A key of a config map or secret.
pub fn is_config_map_key(text: &str) -> Messages {
    let mut messages = check(
        text,
        DNS1123_SUBDOMAIN_MAX,
        |text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')),
        || {
            let words = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
            regex_message(words, "[-._a-zA-Z0-9]+", &["key.name", "KEY_NAME", "key-name"])
        },
    );
    match text {
        "." => messages.push("must not be '.'".to_owned()),
        ".." => messages.push("must not be '..'".to_owned()),
        text if text.starts_with("..") => messages.push("must not start with '..'".to_owned()),
        _ => {}
    }
    messages
}

/// The name of a container's port.
pub fn is_valid_port_name(text: &str) -> Messages {
    let mut messages = Messages::new();
    if text.len() > 15 {
        messages.push(max_length_message(15));
    }
    if text.is_empty() || !text.bytes().all(|byte| is_lower_or_digit(byte) || byte == b'-') {
        messages.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        messages.push("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        messages.push("must not contain consecutive hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        messages.push("must not begin or end with a hyphen".to_owned());
    }
    messages
}

/// A port's number.
pub fn is_valid_port_number(port: i64) -> Messages {
    if (1..=65535).contains(&port) { Messages::new() } else { vec![range_message(1, 65535)] }
}

/// A whole number and a percent sign.
pub fn is_valid_percent(text: &str) -> Messages {
    let digits = text.strip_suffix('%').unwrap_or_default();
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Messages::new();
    }
    let words = "a valid percent string must be a numeric string followed by an ending '%'";
    vec![regex_message(words, "[0-9]+%", &["1%", "93%"])]
}

/// An RFC 1123 subdomain whose labels may have underscores, at the start too: a DNS search path.
pub fn is_dns1123_subdomain_with_underscore(text: &str) -> Messages {
    const REGEX: &str = r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*";
    let matches = |text: &str| {
        text.split('.').all(|label| {
            let label = label.strip_prefix('_').unwrap_or(label);
            is_framed(label, is_lower_or_digit, |byte| is_lower_or_digit(byte) || matches!(byte, b'-' | b'_'))
        })
    };
    check(text, DNS1123_SUBDOMAIN_MAX, matches, || {
        let words = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character";
        regex_message(words, REGEX, &["example.com"])
    })
}

/// The name of an environment variable: printable ASCII without `=`.
pub fn is_relaxed_env_var_name(text: &str) -> Messages {
    if text.is_empty() {
        return vec!["environment variable name must be non-empty".to_owned()];
    }
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=') {
        return Messages::new();
    }
    vec!["a valid environment variable name must consist only of printable ASCII characters other than '='".to_owned()]
}

/// The name of an HTTP header.
pub fn is_http_header_name(text: &str) -> Messages {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Messages::new();
    }
    let words = "a valid HTTP header must consist of alphanumeric characters or '-'";
    vec![regex_message(words, "[-A-Za-z0-9]+", &["X-Header-Name"])]
}

/// Names that are RFC 1123 subdomains: the rule of most kinds and of custom resources.
pub fn name_is_dns_subdomain(name: &str, prefix: bool) -> Messages {
    with_masked_dash(name, prefix, is_dns1123_subdomain)
}

/// Names that are RFC 1123 labels: namespaces, for example.
pub fn name_is_dns_label(name: &str, prefix: bool) -> Messages {
    with_masked_dash(name, prefix, is_dns1123_label)
}

/// Names that are RFC 1035 labels: services, for example.
pub fn name_is_dns1035_label(name: &str, prefix: bool) -> Messages {
    with_masked_dash(name, prefix, is_dns1035_label)
}

/// Names that are segments of a path: RBAC's kinds, for example.
pub fn name_is_path_segment(name: &str, prefix: bool) -> Messages {
    if prefix { is_valid_path_segment_prefix(name) } else { is_valid_path_segment_name(name) }
}

/// Checks a generateName as if its trailing dash were followed by more. As upstream, the letter put in its place
/// replaces the character before the dash as well.
fn with_masked_dash(name: &str, prefix: bool, check: fn(&str) -> Messages) -> Messages {
    let stem = name.strip_suffix('-').filter(|stem| prefix && !stem.is_empty());
    let Some(stem) = stem else { return check(name) };
    let mut chars = stem.chars();
    match chars.next_back() {
        Some(last) if last.is_ascii() => check(&format!("{}a", chars.as_str())),
        _ => check(stem),
    }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;

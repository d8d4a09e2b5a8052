//! Formats of names and values. Each check answers a list of messages, empty when the text is right.

/// Why a text does not have a format, each in upstream's words.
pub type Messages = Vec<String>;

/// A rule for an object's name; `prefix` is true for a generateName.
pub type NameFn = fn(name: &str, prefix: bool) -> Messages;

/// RFC 1123 label.
pub fn is_dns1123_label(_text: &str) -> Messages {
    todo!()
}
/// RFC 1123 subdomain.
pub fn is_dns1123_subdomain(_text: &str) -> Messages {
    todo!()
}
/// RFC 1035 label.
pub fn is_dns1035_label(_text: &str) -> Messages {
    todo!()
}
/// RFC 1123 subdomain that may start with `*.`.
pub fn is_wildcard_dns1123_subdomain(_text: &str) -> Messages {
    todo!()
}
/// Optional prefix and name: the key of a label.
pub fn is_qualified_name(_text: &str) -> Messages {
    todo!()
}
/// The value of a label.
pub fn is_valid_label_value(_text: &str) -> Messages {
    todo!()
}
/// A name that can be a segment of a URL path.
pub fn is_valid_path_segment_name(_text: &str) -> Messages {
    todo!()
}
/// A name whose start can be a segment of a URL path.
pub fn is_valid_path_segment_prefix(_text: &str) -> Messages {
    todo!()
}
/// A name rule.
pub fn name_is_dns_subdomain(_name: &str, _prefix: bool) -> Messages {
    todo!()
}
/// A name rule.
pub fn name_is_dns_label(_name: &str, _prefix: bool) -> Messages {
    todo!()
}
/// A name rule.
pub fn name_is_dns1035_label(_name: &str, _prefix: bool) -> Messages {
    todo!()
}
/// A name rule.
pub fn name_is_path_segment(_name: &str, _prefix: bool) -> Messages {
    todo!()
}

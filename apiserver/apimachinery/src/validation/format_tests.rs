use super::*;

#[test]
fn formats_take_what_upstream_takes() {
    type Check = fn(&str) -> Messages;
    let long_label = "a".repeat(63);
    let long_name = format!("{0}.{0}.{0}.{1}", long_label, "a".repeat(61));
    let cases: &[(&str, Check, &[&str], &[&str])] = &[
        ("label", is_dns1123_label, &["a", "1", "a-b", &long_label], &["", "-a", "a-", "A", "a.b", "a_b", "é"]),
        ("subdomain", is_dns1123_subdomain, &["a", "a.b", "1.2-3", &long_name], &["", ".a", "a.", "a..b", "A", "a_b"]),
        ("rfc1035", is_dns1035_label, &["a", "a-1"], &["", "1a", "a-", "a.b"]),
        ("wildcard", is_wildcard_dns1123_subdomain, &["*.a", "*.a.b"], &["*", "*.", "a", "*a"]),
        ("key", is_qualified_name, &["a", "A.b_c-d", "x.y/Z"], &["", "/a", "a/", "a/b/c", "X/a", "-a", "a b"]),
        ("value", is_valid_label_value, &["", "a", "A_b.c-d"], &["-", "a-", "a b", "é"]),
        ("segment", is_valid_path_segment_name, &["", "a:b", "..."], &[".", "..", "a/b", "a%b"]),
        ("config key", is_config_map_key, &["a", "A_b.c", ".a"], &["", ".", "..", "...a", "a b"]),
        (
            "port name",
            is_valid_port_name,
            &["http", "p1", "1a"],
            &["", "1", "-a", "a-", "a--b", "A", "sixteen-letters1"],
        ),
    ];
    for (what, check, good, bad) in cases {
        for text in *good {
            let messages = check(text);
            assert!(messages.is_empty(), "{what} {text:?}: {messages:?}");
        }
        for text in *bad {
            assert!(!check(text).is_empty(), "{what} takes {text:?}");
        }
    }
}

#[test]
fn messages_are_upstreams() {
    assert_eq!(
        is_dns1123_subdomain("Not_A_Name"),
        [
            r"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        ]
    );
    assert_eq!(is_dns1123_label("a.b"), ["must not contain dots"]);
    assert_eq!(is_dns1123_label(&"a".repeat(64)), ["must be no more than 63 characters"]);
    assert_eq!(is_valid_label_value(&"a".repeat(64)), ["must be no more than 63 bytes"]);
    assert_eq!(
        is_qualified_name("a/b/c"),
        [
            "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    );
    assert_eq!(is_qualified_name("/a"), ["prefix part must be non-empty"]);
    assert_eq!(is_qualified_name("a/")[0], "name part must be non-empty");
    assert_eq!(is_qualified_name(&format!("{}/a", "a".repeat(254))), ["prefix part must be no more than 253 bytes"]);
    assert_eq!(is_valid_port_number(0), ["must be between 1 and 65535, inclusive"]);
}

#[test]
fn a_generate_name_may_end_in_a_dash() {
    assert!(name_is_dns_subdomain("web-", true).is_empty());
    assert!(!name_is_dns_subdomain("web-", false).is_empty());
    assert!(name_is_dns_label("a-", true).is_empty());
    assert!(!name_is_dns_label("-", true).is_empty());
    assert!(!name_is_dns_label("Web-", true).is_empty());
    assert!(name_is_path_segment(".", true).is_empty());
}

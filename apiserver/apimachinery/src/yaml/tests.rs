use serde_json::json;

use super::*;

fn value(text: &str) -> Value {
    decode(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text:?}")).value
}

#[test]
fn yaml_is_read_as_go_reads_it() {
    let text =
        "a: yes\nb: y\nc: 010\nd: '1'\ne: 1.5\nf: ~\ng:\n- x\n- {k: v}\nh: |\n  one\n  two\ni: text\nj: 2026-01-02\n";
    assert_eq!(
        value(text),
        json!({"a": true, "b": true, "c": 8, "d": "1", "e": 1.5, "f": null, "g": ["x", {"k": "v"}],
               "h": "one\ntwo\n", "i": "text", "j": "2026-01-02"})
    );
    assert_eq!(value(""), Value::Null);
    assert_eq!(value("# nothing\n"), Value::Null);
    assert_eq!(value("\u{feff}a: 1"), json!({"a": 1}));
    assert_eq!(value(r#"{"a":[1,{"b":"c"}],"d":""}"#), json!({"a": [1, {"b": "c"}], "d": ""}));
    assert_eq!(value("a: first\n---\na: second\n"), json!({"a": "first"}));
}

#[test]
fn scalars_mean_what_they_mean_in_go() {
    for (text, expected) in [
        ("1_000", json!(1000)),
        ("+12", json!(12)),
        ("-0x1F", json!(-31)),
        ("0b101", json!(5)),
        ("0o17", json!(15)),
        ("08", json!(8)),
        ("9223372036854775807", json!(i64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("18446744073709551615", json!(18_446_744_073_709_551_615_f64)),
        ("1.0", json!(1)),
        ("1e3", json!(1000)),
        (".5", json!(0.5)),
        ("1.", json!(1)),
        ("1e400", json!("1e400")),
        ("1:30", json!("1:30")),
        ("- 1", json!([1])),
        ("-", json!([null])),
        ("On", json!(true)),
        ("oN", json!("oN")),
        ("!!str 1", json!("1")),
        ("!!int '7'", json!(7)),
        ("!!float 7", json!(7)),
        ("!mine 7", json!("7")),
        ("!!binary aGk=", json!("hi")),
        ("1.2.3", json!("1.2.3")),
        ("0x", json!("0x")),
        ("_1", json!("_1")),
        ("NaN", json!("NaN")),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
    assert_eq!(
        value("{1: a, true: b, 1.5: c, 1e30: d, x: e}"),
        json!({"1": "a", "true": "b", "1.5": "c", "1e+30": "d", "x": "e"})
    );
}

#[test]
fn repeated_keys_are_named_with_their_line() {
    let text = "apiVersion: v1\nmetadata:\n  name: first\n  name: second\ndata:\n  k: one\n  k: two\n";
    let Decoded { value, repeated } = decode(text.as_bytes()).unwrap();
    assert_eq!(value["metadata"]["name"], "second");
    assert_eq!(repeated, ["line 4: key \"name\" already set in map", "line 7: key \"k\" already set in map"]);
}

#[test]
fn anchors_are_repeated_and_mappings_merged() {
    let text =
        "base: &b {a: 1, c: 2}\nother: &o {a: 9, d: 4}\none:\n  <<: *b\n  c: 3\ntwo:\n  <<: [*b, *o]\nlist: [*b]\n";
    let value = value(text);
    assert_eq!(value["one"], json!({"a": 1, "c": 3}));
    assert_eq!(value["two"], json!({"a": 1, "c": 2, "d": 4}));
    assert_eq!(value["list"], json!([{"a": 1, "c": 2}]));
}

#[test]
fn what_is_no_yaml_is_refused_in_the_words_of_gos_library() {
    for (text, words) in [
        ("a: [b", "yaml: line 1: did not find expected ',' or ']'"),
        ("a: {b: c", "yaml: line 1: did not find expected ',' or '}'"),
        ("a: b: c", "yaml: mapping values are not allowed in this context"),
        ("x: 1\na: b: c", "yaml: line 2: mapping values are not allowed in this context"),
        ("a: 1\n  b: 2\n", "yaml: line 2: mapping values are not allowed in this context"),
        ("a: \"b", "yaml: found unexpected end of stream"),
        ("x: 1\na: \"b", "yaml: line 2: found unexpected end of stream"),
        ("x: 1\na: @b", "yaml: line 2: found character that cannot start any token"),
        ("x: 1\na: \"\\q\"", "yaml: line 2: found unknown escape character"),
        ("a: *nope", "yaml: unknown anchor 'nope' referenced"),
        ("a: &a [*a]", "yaml: anchor 'a' value contains itself"),
        ("<<: 1", "yaml: map merge requires map or sequence of maps as the value"),
        ("a: !!int x", "yaml: cannot decode !!str `x` as a !!int"),
        ("a: .nan", "json: unsupported value: NaN"),
        ("a: \u{1}", "yaml: control characters are not allowed"),
        ("x: 1\n? ", "unsupported map key of type: %!s(<nil>), key: <nil>"),
    ] {
        let result = decode(text.as_bytes());
        let said = result.map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(said, words, "{text:?}");
    }
    assert_eq!(decode(b"a: \xff").unwrap_err().to_string(), "yaml: invalid leading UTF-8 octet");
    assert_eq!(decode(b"a: \xe2\x82").unwrap_err().to_string(), "yaml: incomplete UTF-8 octet sequence");
}

#[test]
fn aliases_cannot_make_a_document_explode() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (before, this) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        bomb.push_str(&format!("{this}: &{this} [{}]\n", vec![format!("*{before}"); 9].join(",")));
    }
    let large = format!("a: &a {}\nb: [{}]\n", "x".repeat(1024 * 1024), vec!["*a"; 1000].join(","));
    for text in [bomb, large] {
        let error = decode(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "yaml: document contains excessive aliasing");
    }
}

#[test]
fn nesting_ends_somewhere() {
    let run = || {
        for text in ["[".repeat(1024 * 1024), "{a: ".repeat(500_000), "- ".repeat(100_000)] {
            let error = decode(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("exceeded max depth"), "{error}");
        }
        assert!(decode(format!("{}{}", "[".repeat(9_000), "]".repeat(9_000)).as_bytes()).is_ok());
    };
    std::thread::Builder::new().stack_size(crate::json::STACK).spawn(run).unwrap().join().unwrap();
}

#[test]
fn json_that_is_read_as_json_says_what_it_says_as_yaml() {
    use proptest::prelude::*;
    let text = "[ -~é\\t\\n]{0,12}|yes|null|~|010|1e3|<<|0x1f|2001-01-01|- a|a: b|# c|\\{\\}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-20..20_i64).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e6..1e6_f64).prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(text, inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let plain = std::cell::Cell::new(0);
    proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) }, |(value in value, end in "\\n?")| {
        let compact = format!("{value}{end}");
        // As some programs print it, with spaces.
        let spaced = compact.replace("\":", "\" : ").replace(",\"", ", \"");
        for text in [compact, spaced] {
            if let Some(read) = plain::decode(text.as_bytes()) {
                plain.set(plain.get() + 1);
                prop_assert_eq!(Ok(read), decode_any(text.as_bytes()), "{}", text);
            }
        }
    });
    assert!(plain.get() > 100, "{} were read as JSON", plain.get());
}

#[test]
fn json_that_yaml_may_read_otherwise_is_read_as_yaml() {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let long = format!("{{\"{}\":1}}", "k".repeat(1025));
    for text in [
        "{\"a\":1,\"a\":2}",
        "{\"a\":1.0}",
        "{\"a\":1e3}",
        "{\"a\":18446744073709551615}",
        "{\"a\":\"\\u0041\"}",
        "{\"a\":\"é\"}",
        "{\"a\":\t1}",
        "{\"a\":\n1}",
        "{\"<<\":{}}",
        "{\"a\":1} # b",
        "{a: 1}",
        "a: 1",
        "1",
        "\"a\"",
        "",
        "{\"a\":1}\n---\n{}",
        &deep,
        &long,
    ] {
        assert_eq!(plain::decode(text.as_bytes()), None, "{text}");
    }
}

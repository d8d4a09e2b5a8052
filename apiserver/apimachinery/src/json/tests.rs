use serde_json::json;

use super::*;

#[test]
fn duplicate_fields_are_named_once_with_their_path() {
    let body = br#"{"a":{"b":1},"a":{"c":[{"d":1,"d":2}]},"e":1,"e":2,"e":3}"#;
    let Decoded { value, repeated: errors, .. } = decode(body, Duplicates::Merge).unwrap();
    assert_eq!(value, json!({"a": {"b": 1, "c": [{"d": 2}]}, "e": 3}));
    assert_eq!(errors, ["duplicate field \"a.c[0].d\"", "duplicate field \"a\"", "duplicate field \"e\""]);
    let value = decode(body, Duplicates::Last).unwrap().value;
    assert_eq!(value, json!({"a": {"c": [{"d": 2}]}, "e": 3}));
}

#[test]
fn what_is_no_unicode_is_read_as_go_reads_it() {
    for (body, text) in [
        (&br#"{"a":"\ud800"}"#[..], "\u{fffd}"),
        (br#"{"a":"\ud83d\ude00"}"#, "\u{1f600}"),
        (br#"{"a":"x\udc00\u0041\ud800"}"#, "x\u{fffd}A\u{fffd}"),
        (br#"{"a":"\\ud800\ud800"}"#, "\\ud800\u{fffd}"),
        (b"{\"a\":\"\xff\"}", "\u{fffd}"),
        (b"{\"a\":\"x\xe2\x82y\"}", "x\u{fffd}\u{fffd}y"),
        (br#"{"a":"\ud83d\ud83d\ude00"}"#, "\u{fffd}\u{1f600}"),
    ] {
        let value = decode(body, Duplicates::Last).unwrap_or_else(|e| panic!("{e}: {body:?}")).value;
        assert_eq!(value, json!({ "a": text }));
    }
}

#[test]
fn what_is_no_json_is_refused_in_gos_words() {
    for (body, words) in [
        ("", "unexpected end of JSON input"),
        ("{", "unexpected end of JSON input"),
        (r#"{"a":1"#, "unexpected end of JSON input"),
        (r#"{"a" 1}"#, "invalid character '1' after object key"),
        (r#"{"a":1 "b"}"#, "invalid character '\"' after object key:value pair"),
        ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
        ("[1 2]", "invalid character '2' after array element"),
        ("{} {}", "invalid character '{' after top-level value"),
        ("metadata: x", "invalid character 'm' looking for beginning of value"),
        ("nul", "unexpected end of JSON input"),
        ("nulx", "invalid character 'x' in literal null (expecting 'l')"),
        ("-x", "invalid character 'x' in numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1ex", "invalid character 'x' in exponent of numeric literal"),
        ("\"a\nb\"", "invalid character '\\n' in string literal"),
        (r#""\q""#, "invalid character 'q' in string escape code"),
        (r#""\u12x4""#, "invalid character 'x' in \\u hexadecimal character escape"),
        ("01", "invalid character '1' after top-level value"),
    ] {
        assert_eq!(decode(body.as_bytes(), Duplicates::Last).unwrap_err().to_string(), words, "{body:?}");
    }
}

/// Runs on a thread with the stack that deep values need.
fn with_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(STACK).spawn(run).unwrap().join().unwrap()
}

#[test]
fn nesting_ends_at_gos_limit() {
    let nested = |depth: usize| format!("{}1{}", r#"{"a":["#.repeat(depth / 2), "]}".repeat(depth / 2)).into_bytes();
    with_stack(move || {
        assert!(decode(&nested(MAX_DEPTH), Duplicates::Last).is_ok());
        for text in [nested(MAX_DEPTH + 2), b"[".repeat(3 * 1024 * 1024), r#"{"a":"#.repeat(500_000).into_bytes()] {
            let error = decode(&text, Duplicates::Last).unwrap_err();
            assert_eq!(error.to_string(), "exceeded max depth");
        }
        // A text that ends before it is too deep is no JSON first.
        assert_eq!(
            decode(&b"[".repeat(MAX_DEPTH), Duplicates::Last).unwrap_err().to_string(),
            "unexpected end of JSON input"
        );
        assert_eq!(parse(&nested(MAX_DEPTH + 2)).unwrap().to_string().len(), nested(MAX_DEPTH + 2).len());
    });
}

#[test]
fn numbers_at_the_edges_are_read_as_go_reads_them() {
    for (text, value) in [
        ("9223372036854775807", json!(i64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("9223372036854775808", json!(9_223_372_036_854_775_808_f64)),
        ("18446744073709551615", json!(18_446_744_073_709_551_615_f64)),
        ("18446744073709551616", json!(18_446_744_073_709_551_616_f64)),
        ("-9223372036854775809", json!(-9_223_372_036_854_775_809_f64)),
        ("-0", json!(0)),
        ("-0.0", json!(-0.0)),
        ("1.0", json!(1.0)),
        ("1e2", json!(100.0)),
        ("1e-400", json!(0.0)),
        ("1.7976931348623157e308", json!(f64::MAX)),
        ("5e-324", json!(5e-324)),
    ] {
        let decoded = decode(text.as_bytes(), Duplicates::Last).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((decoded.value, decoded.out_of_range), (value, None), "{text}");
    }
    for text in ["1e400", "-1e400", "1.8e308", "17976931348623159000e290"] {
        let decoded = decode(format!(r#"{{"a":[{text}],"b":"1e999"}}"#).as_bytes(), Duplicates::Last).unwrap();
        assert_eq!(decoded.out_of_range.as_deref(), Some(text));
        assert_eq!(decoded.value, json!({"a": [0], "b": "1e999"}), "{text}");
    }
}

#[test]
fn work_is_linear_where_a_text_repeats_itself() {
    // Each repeated field at the bottom of a deep object: its path is made once.
    let bottom = format!("{{{}\"b\":1}}", r#""b":1,"#.repeat(100_000));
    let deep = format!("{}{bottom}{}", r#"{"a":"#.repeat(9_000), "}".repeat(9_000));
    let wide: String = (0..50_000).map(|n| format!(r#""f{n}":1,"f{n}":2,"#)).collect();
    with_stack(move || {
        assert_eq!(decode(deep.as_bytes(), Duplicates::Merge).unwrap().repeated.len(), 1);
        let wide = decode(format!("{{{wide}\"z\":0}}").as_bytes(), Duplicates::Last).unwrap();
        assert_eq!((wide.repeated.len(), &wide.value["f49999"]), (100, &json!(2)));
    });
}

#[test]
fn what_is_printed_is_read_again() {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite, and no integer zero", |f| f.is_finite()).prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..8).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    proptest!(|(value in value)| {
        let decoded = decode(value.to_string().as_bytes(), Duplicates::Last).unwrap();
        prop_assert_eq!(decoded, Decoded { value, repeated: Vec::new(), out_of_range: None });
    });
}

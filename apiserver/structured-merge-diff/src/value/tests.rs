use std::cmp::Ordering;

use serde_json::{Value, json};

use super::{Debug, Display, Quoted, compare, equals, type_name, write_json};

/// From the least to the greatest; values of one row are equal.
fn ascending() -> Vec<Vec<Value>> {
    vec![
        vec![json!(-1.5)],
        vec![json!(1), json!(1.0)],
        vec![json!(1.5)],
        vec![json!(2)],
        vec![json!("a-12")],
        vec![json!("a-9")],
        vec![json!(false)],
        vec![json!(true)],
        vec![json!([])],
        vec![json!([1]), json!([1.0])],
        vec![json!([1, 1])],
        vec![json!([2])],
        vec![json!({})],
        vec![json!({"a": 1}), json!({"a": 1.0})],
        vec![json!({"a": 1, "b": 1})],
        vec![json!({"a": 2})],
        vec![json!({"b": 0})],
        vec![json!(null)],
    ]
}

#[test]
fn values_of_all_types_have_one_order() {
    let rows = ascending();
    for (i, left) in rows.iter().enumerate() {
        for (j, right) in rows.iter().enumerate() {
            for (a, b) in left.iter().flat_map(|a| right.iter().map(move |b| (a, b))) {
                assert_eq!(compare(a, b), i.cmp(&j), "compare {a} with {b}");
                assert_eq!(equals(a, b), i == j, "equality of {a} and {b}");
            }
        }
    }
}

#[test]
fn large_unsigned_integers_compare_as_floats() {
    assert_eq!(compare(&json!(u64::MAX), &json!(i64::MAX)), Ordering::Greater);
    assert!(equals(&json!(u64::MAX), &json!(1.844_674_407_370_955_2e19)));
}

#[test]
fn messages_show_values_as_go_does() {
    for (value, plain, exact, type_of) in [
        (json!(null), "<nil>", "interface {}(nil)", "<nil>"),
        (json!(true), "true", "true", "bool"),
        (json!(8080), "8080", "8080", "int64"),
        (json!(3.5), "3.5", "3.5", "float64"),
        (json!(80.0), "80", "80", "float64"),
        (json!(1_234_567.0), "1.234567e+06", "1.234567e+06", "float64"),
        (json!(0.00001), "1e-05", "1e-05", "float64"),
        (json!("a\"b"), "a\"b", r#""a\"b""#, "string"),
        (json!([1, "x"]), "[1 x]", r#"[]interface {}{1, "x"}"#, "[]interface {}"),
        (
            json!({"k": [true], "l": null}),
            "map[k:[true] l:<nil>]",
            r#"map[string]interface {}{"k":[]interface {}{true}, "l":interface {}(nil)}"#,
            "map[string]interface {}",
        ),
    ] {
        assert_eq!(Display(&value).to_string(), plain, "%v of {value}");
        assert_eq!(Debug(&value).to_string(), exact, "%#v of {value}");
        assert_eq!(type_name(&value), type_of, "%T of {value}");
    }
}

#[test]
fn strings_are_quoted_as_go_does() {
    for (text, quoted) in [
        ("plain", r#""plain""#),
        ("it's", r#""it's""#),
        ("a\"\\b", r#""a\"\\b""#),
        ("\u{7}\u{8}\u{c}\n\r\t\u{b}", r#""\a\b\f\n\r\t\v""#),
        ("\u{0}\u{7f}", r#""\x00\x7f""#),
        ("né 世界 🚀", r#""né 世界 🚀""#),
        ("\u{a0}\u{200b}\u{feff}", r#""\u00a0\u200b\ufeff""#),
    ] {
        assert_eq!(Quoted(text).to_string(), quoted, "{text:?}");
    }
}

#[test]
fn path_elements_hold_json_as_upstream_writes_it() {
    for (value, text) in [
        (json!(null), "null"),
        (json!(80.0), "80"),
        (json!(-0.25), "-0.25"),
        (json!(1e21), "1e+21"),
        (json!(1e-7), "1e-07"),
        (json!("<a>&\u{2028}\u{1}\n"), r#""\u003ca\u003e\u0026\u2028\u0001\n""#),
        (json!({"b": [1, "x"], "a": {}}), r#"{"a":{},"b":[1,"x"]}"#),
    ] {
        let mut out = String::new();
        write_json(&mut out, &value);
        assert_eq!(out, text);
    }
}

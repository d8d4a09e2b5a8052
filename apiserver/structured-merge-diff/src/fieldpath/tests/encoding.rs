use serde_json::json;

use super::set;
use crate::fieldpath::{PathElement, PathElementError, Set};

fn encoded(set: &Set) -> String {
    String::from_utf8(set.to_json().unwrap()).unwrap()
}

#[test]
fn a_set_is_written_in_upstreams_key_order() {
    let all = set(json!([
        [10],
        [9],
        ["=b"],
        [{"port": 8080}],
        [{"port": 443}],
        [{"port": 80}],
        [{"name": "x"}],
        ["spec"],
        ["spec", "replicas"],
        ["only", "child"],
        ["leaf"],
    ]));
    assert_eq!(
        encoded(&all),
        concat!(
            r#"{"f:leaf":{},"f:only":{"f:child":{}},"f:spec":{".":{},"f:replicas":{}},"#,
            r#""k:{\"name\":\"x\"}":{},"k:{\"port\":80}":{},"k:{\"port\":443}":{},"k:{\"port\":8080}":{},"#,
            r#""v:\"b\"":{},"i:9":{},"i:10":{}}"#,
        )
    );
    assert_eq!(encoded(&Set::new()), "{}");
}

#[test]
fn what_upstream_writes_is_read_and_written_unchanged() {
    for text in [
        r#"{"f:metadata":{"f:annotations":{".":{},"f:a.b/c":{}},"f:labels":{"f:x":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:ports":{".":{},"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}"#,
        r#"{"f:set":{"v:1":{},"v:2.5":{},"v:\"x\"":{},"v:true":{},"v:null":{}}}"#,
        r#"{"f:\u0008\t":{},"f:a\"b":{},"f:a\\n":{},"f:ü🚀":{"k:{\"name\":\"p🔑\"}":{".":{},"f:x":{}}}}"#,
        r#"{"k:{\"name\":\"\\u003cb\\u003e\"}":{},"k:{\"obj\":{\"A\":1,\"B\":null}}":{}}"#,
    ] {
        assert_eq!(encoded(&Set::from_json(text.as_bytes()).unwrap()), *text);
    }
}

#[test]
fn keys_may_come_in_any_order_and_spacing() {
    let text = r#" { "f:b":{}, "v: 2":{}, "f:a" : {"f:d":{}, ".":{}, "f:c":{}},
        "k:{ \"p\":\"u\", \"n\":1}":{} , "v:1":{}, "f:a":{"f:e":{}}, "f:b": null } "#;
    let set = Set::from_json(text.as_bytes()).unwrap();
    let expected =
        r#"{"f:a":{".":{},"f:c":{},"f:d":{},"f:e":{}},"f:b":{},"k:{\"n\":1,\"p\":\"u\"}":{},"v:1":{},"v:2":{}}"#;
    assert_eq!(encoded(&set), expected);
}

#[test]
fn elements_of_an_unknown_kind_are_ignored() {
    let set = Set::from_json(br#"{"f:a":{},"r:b":{"f:c":{}},"f:d":{"z:x":{}}}"#).unwrap();
    assert_eq!(encoded(&set), r#"{"f:a":{},"f:d":{}}"#);
    assert!(matches!("r:x".parse::<PathElement>(), Err(PathElementError::UnknownType)));
}

#[test]
fn null_is_the_empty_set() {
    assert!(Set::from_json(b" null ").unwrap().is_empty());
}

#[test]
fn what_is_not_a_set_is_refused() {
    for text in [
        "",
        "  ",
        "[]",
        "42",
        r#""hi""#,
        "{1:{}}",
        r#"{"f:a":{},}"#,
        r#"{"f:a":}"#,
        r#"{"f:a":1}"#,
        r#"{"f:a":[]}"#,
        r#"{"f:a":{},,"f:b":{}}"#,
        r#"{"f:a"::{}}"#,
        r#"{"":{}}"#,
        r#"{"x":{}}"#,
        r#"{":":{}}"#,
        r#"{"fa":{}}"#,
        r#"{"ü:":{}}"#,
        r#"{"f:a":{"f:b":{}"#,
        r#"{"f:\u00"#,
        r#"{"f:a":{}}}"#,
        r#"{"f:a":{}} "x""#,
        r#"{"k:[]":{}}"#,
    ] {
        assert!(Set::from_json(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn what_is_not_a_path_element_is_refused() {
    for text in [
        "",
        "f",
        "no-colon",
        "i:",
        "i:x",
        "i:1.5",
        "i: 0",
        "i:0 ",
        "v:",
        "v:x",
        "v:{\"a\":1",
        "v:1 2",
        "k:x",
        "k:{\"a\":x}",
        "k:{\"a\":1} {}",
        "k:1",
    ] {
        assert!(text.parse::<PathElement>().is_err(), "{text}");
    }
    assert_eq!("x".parse::<PathElement>().unwrap_err().to_string(), "key must be 2 characters long:");
    assert_eq!("xyz".parse::<PathElement>().unwrap_err().to_string(), "missing colon: xyz");
}

#[test]
fn numbers_of_read_elements_are_floats_as_upstreams_are() {
    let element: PathElement = r#"k:{"id":1000000}"#.parse().unwrap();
    assert_eq!(element.to_string(), "[id=1e+06]");
    assert_eq!(element, PathElement::key([("id", 1_000_000)]));
    let mut text = String::new();
    element.serialize_into(&mut text);
    assert_eq!(text, r#"k:{"id":1000000}"#);
}

use std::collections::BTreeMap;

use serde_json::json;

use super::*;

#[test]
fn selectors_are_displayed_in_canonical_form() {
    for (text, want) in [
        ("", ""),
        ("  ", ""),
        ("x=a", "x=a"),
        ("x==a", "x==a"),
        ("x!=a", "x!=a"),
        ("  app  =  web ,  tier =front ", "app=web,tier=front"),
        ("z in (c,a,b,a),y,!w", "!w,y,z in (a,b,c)"),
        ("x in ()", "x in ()"),
        ("x in (a,,)", "x in (,a)"),
        ("x in (,a)", "x in (,a)"),
        ("x notin (in,notin)", "x notin (in,notin)"),
        ("in", "in"),
        ("notin in (in)", "notin in (in)"),
        ("x=", "x="),
        ("x=,y", "x=,y"),
        ("x>1,y<9", "x>1,y<9"),
        ("example.com/x=A_b.c-d", "example.com/x=A_b.c-d"),
        ("a,b,a=1", "a,a=1,b"),
        ("x=a,", "err"),
        ("\tx\n", "x"),
        ("x\0=!", "x"),
    ] {
        match Selector::parse(text) {
            Ok(selector) => {
                assert_eq!(selector.to_string(), want, "{text:?}");
                assert_eq!(Selector::parse(want).as_ref(), Ok(&selector), "{text:?} survives its own display");
            }
            Err(error) => assert_eq!(want, "err", "{text:?}: {error}"),
        }
    }
}

#[test]
fn what_is_no_selector_is_refused_in_upstreams_words() {
    const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
    const NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    for (text, want) in [
        ("=a", "found '=', expected: !, identifier, or 'end of string'".to_owned()),
        ("x,,y", "found ',', expected: identifier after ','".to_owned()),
        ("x,", "found '', expected: identifier after ','".to_owned()),
        ("x=a y", "found 'y', expected: ',' or 'end of string'".to_owned()),
        ("!", "unable to parse requirement: found '', expected: identifier".to_owned()),
        ("x==!=", "unable to parse requirement: found '!=', expected: identifier".to_owned()),
        ("x a", "unable to parse requirement: found 'a', expected: in, notin, =, ==, !=, gt, lt".to_owned()),
        ("x in a", "unable to parse requirement: found 'a' expected: '('".to_owned()),
        ("x in (", "unable to parse requirement: found '', expected: ',', ')' or identifier".to_owned()),
        ("x in (a", "unable to parse requirement: found '', expected: ',' or ')'".to_owned()),
        ("x in (a b)", "unable to parse requirement: found 'b', expected: ',' or ')'".to_owned()),
        ("x in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier".to_owned()),
        ("x in (a,=)", "unable to parse requirement: found '=', expected: ',', or identifier".to_owned()),
        ("x>a", "unable to parse requirement: <nil>.values[0]: Invalid value: \"a\": for 'Gt', 'Lt' operators, the value must be an integer".replace("<nil>.", "")),
        ("x=a$", format!("unable to parse requirement: values[0][x]: Invalid value: \"a$\": {VALUE}")),
        ("a$=x", format!("unable to parse requirement: <nil>: Invalid value: \"a$\": {NAME}")),
        ("!x=a", "found '=', expected: ',' or 'end of string'".to_owned()),
    ] {
        assert_eq!(Selector::parse(text).map_err(|error| error.0), Err(want), "{text:?}");
    }
}

#[test]
fn labels_are_matched() {
    let labels = BTreeMap::from([("app", "web"), ("n", "10"), ("empty", "")]);
    for (text, want) in [
        ("", true),
        ("app=web", true),
        ("app!=web", false),
        ("app in (db,web)", true),
        ("app notin (db)", true),
        ("none notin (db)", true),
        ("none!=x", true),
        ("none=", false),
        ("empty=", true),
        ("empty", true),
        ("!empty", false),
        ("!none", true),
        ("n>9", true),
        ("n>10", false),
        ("n<11", true),
        ("app>1", false),
        ("none<1", false),
        ("app=web,n=9", false),
    ] {
        let selector = Selector::parse(text).unwrap();
        assert_eq!(selector.matches(|key| labels.get(key).copied()), want, "{text:?}");
    }
    assert!(!Selector::nothing().matches(|key| labels.get(key).copied()));
}

#[test]
fn a_label_selector_of_an_object_is_converted() {
    let of = |value| Selector::from_label_selector(&value);
    assert_eq!(of(Value::Null), Ok(Selector::nothing()));
    assert_eq!(of(json!({})), Ok(Selector::everything()));
    let selector = of(json!({"matchLabels": {"b": "1", "a": "2"}, "matchExpressions": [
        {"key": "c", "operator": "In", "values": ["y", "x"]}, {"key": "d", "operator": "DoesNotExist"}]}));
    assert_eq!(selector.unwrap().to_string(), "a=2,b=1,c in (x,y),!d");
    for (value, want) in [
        (
            json!({"matchExpressions": [{"key": "a", "operator": "in"}]}),
            "\"in\" is not a valid label selector operator",
        ),
        (
            json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
            "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty",
        ),
        (
            json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}),
            "values: Invalid value: [\"x\"]: values set must be empty for exists and does not exist",
        ),
    ] {
        assert_eq!(of(value).map_err(|error| error.0), Err(want.to_owned()));
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in "[a-z=!(),<> in\0é]{0,24}") {
        if let Ok(selector) = Selector::parse(&text) {
            let again = Selector::parse(&selector.to_string());
            proptest::prop_assert_eq!(again, Ok(selector));
        }
    }
}

use serde_json::json;

use super::{pair, schema, typed_in};
use crate::typed::{Duplicates, TypedValue};

#[test]
fn what_is_said_is_merged_in_and_nothing_is_removed() {
    for (stored, sent, merged) in [
        (json!(null), json!(null), json!(null)),
        (json!(null), json!({}), json!({})),
        (json!({"numeric": 1}), json!({}), json!({"numeric": 1})),
        (json!({"numeric": 1, "bool": true}), json!({"numeric": 2}), json!({"numeric": 2, "bool": true})),
        (json!({"numeric": 1}), json!({"numeric": null}), json!({"numeric": null})),
        (json!({"record": {"a": 1}}), json!({"record": {"b": "x"}}), json!({"record": {"a": 1, "b": "x"}})),
        // null and empty are told apart, and take nothing away
        (json!({"record": {"a": 1}}), json!({"record": null}), json!({"record": {"a": 1}})),
        (json!({"record": {"a": 1}}), json!({"record": {}}), json!({"record": {"a": 1}})),
        (json!({"record": {}}), json!({"record": null}), json!({"record": null})),
        (json!({"record": null}), json!({"record": {}}), json!({"record": {}})),
        (json!({"set": []}), json!({"set": null}), json!({"set": null})),
        (json!({"set": ["a"]}), json!({"set": []}), json!({"set": ["a"]})),
        // atomic containers are replaced
        (json!({"whole": {"a": 1}}), json!({"whole": {"b": "x"}}), json!({"whole": {"b": "x"}})),
        (json!({"whole": {"a": 1}}), json!({"whole": {}}), json!({"whole": {}})),
        (json!({"atoms": [{"id": 1}]}), json!({"atoms": []}), json!({"atoms": []})),
        (json!({"opaque": {"a": 1}}), json!({"opaque": {"b": 1}}), json!({"opaque": {"b": 1}})),
        // values without a schema merge map by map
        (
            json!({"free": {"a": 1, "l": [1], "m": {"x": 1}}}),
            json!({"free": {"b": 2, "l": [2], "m": {"y": 2}}}),
            json!({"free": {"a": 1, "b": 2, "l": [2], "m": {"x": 1, "y": 2}}}),
        ),
        // and take another form where it changes
        (json!({"free": {"a": {"b": 1}}}), json!({"free": {"a": 1}}), json!({"free": {"a": 1}})),
        (json!({"free": {"a": [1]}}), json!({"free": {"a": {"b": 1}}}), json!({"free": {"a": {"b": 1}}})),
        // items merge by their names
        (
            json!({"items": [{"name": "a", "flag": true}, {"name": "b"}]}),
            json!({"items": [{"name": "a", "value": {"x": "y"}}]}),
            json!({"items": [{"name": "a", "flag": true, "value": {"x": "y"}}, {"name": "b"}]}),
        ),
        // an absent key is another name, but a default is the same one
        (
            json!({"items": [{"name": "a"}]}),
            json!({"items": [{"name": "a", "id": 1}]}),
            json!({"items": [{"name": "a"}, {"name": "a", "id": 1}]}),
        ),
        (
            json!({"ports": [{"port": 80, "name": "http"}]}),
            json!({"ports": [{"port": 80, "protocol": "TCP"}]}),
            json!({"ports": [{"port": 80, "protocol": "TCP", "name": "http"}]}),
        ),
        // items that share a name give way to the one that is sent, and stay when none is
        (
            json!({"items": [{"name": "a", "flag": true}, {"name": "b"}, {"name": "a", "flag": false}]}),
            json!({"items": [{"name": "a", "value": {}}]}),
            json!({"items": [{"name": "a", "value": {}}, {"name": "b"}]}),
        ),
        (
            json!({"items": [{"name": "a", "flag": true}, {"name": "a"}]}),
            json!({"items": [{"name": "b"}]}),
            json!({"items": [{"name": "a", "flag": true}, {"name": "a"}, {"name": "b"}]}),
        ),
    ] {
        let (stored, sent) = pair(&stored, &sent);
        let got = stored.merge(&sent).unwrap();
        assert_eq!(got.value(), &merged, "{} with {}", stored.value(), sent.value());
    }
}

#[test]
fn shared_items_take_the_sent_order_and_the_others_stay_by_their_neighbours() {
    let letters = |text: &str| json!({"set": text.chars().map(String::from).collect::<Vec<_>>()});
    for (stored, sent, merged) in [
        ("abc", "abc", "abc"),
        ("abc", "a", "abc"),
        ("abc", "d", "abcd"),
        ("abc", "ca", "bca"),
        ("abc", "cb", "acb"),
        ("abc", "cba", "cba"),
        ("abc", "adbec", "adbec"),
        ("abc", "xby", "axbcy"),
        ("b", "abc", "abc"),
        ("abcde", "eca", "beca"),
    ] {
        let (left, right) = pair(&letters(stored), &letters(sent));
        let got = left.merge(&right).unwrap().into_value();
        let mut got: String = got["set"].as_array().unwrap().iter().filter_map(|v| v.as_str()).collect();
        if (stored, sent) == ("abcde", "eca") {
            // Where `d` goes is not promised, only that it is kept.
            got.retain(|c| c != 'd');
        }
        assert_eq!(got, merged, "{stored} with {sent}");
    }
}

#[test]
fn what_is_sent_may_not_have_duplicates() {
    let (stored, sent) = pair(&json!({"set": ["a"]}), &json!({"set": ["b", "b"]}));
    assert_eq!(stored.merge(&sent).unwrap_err().to_string(), r#".set: duplicate entries for key [="b"]"#);
}

#[test]
fn only_values_of_one_type_of_one_schema_combine() {
    let value = json!({"record": {}});
    let (one, other) =
        (typed_in(&schema(), &value, Duplicates::Reject), typed_in(&schema(), &value, Duplicates::Reject));
    let (one, other) = (one.unwrap(), other.unwrap());
    let words = "expected objects with types from the same schema";
    assert_eq!(one.merge(&other).unwrap_err().to_string(), words);
    assert_eq!(one.compare(&TypedValue::deduced(value.clone())).unwrap_err().to_string(), words);
    let record = TypedValue::unvalidated(json!({}), one.schema(), &crate::TypeRef::named("record"));
    let err = one.compare(&record).unwrap_err().to_string();
    assert_eq!(err, "expected objects of the same type, but got root and record");
}

#[test]
fn items_in_the_same_order_merge_as_they_do_beside_another() {
    let stored = [json!({}), json!({"name": "x"}), json!({"name": null}), json!({"name": "x", "protocol": "TCP"})];
    let sent =
        [json!({}), json!({"name": "x"}), json!({"name": "y"}), json!({"name": null}), json!({"protocol": "TCP"})];
    let item = |port: u16, fields: &serde_json::Value| {
        let mut item = fields.clone();
        item["port"] = port.into();
        item
    };
    for (a, b) in stored.iter().flat_map(|a| stored.iter().map(move |b| (a, b))) {
        for (c, d) in sent.iter().flat_map(|c| sent.iter().map(move |d| (c, d))) {
            let left = json!({"ports": [item(2, a), item(1, b)]});
            let right = json!({"ports": [item(2, c), item(1, d)]});
            let mut beside = right.clone();
            beside["ports"].as_array_mut().unwrap().push(json!({"port": 3}));
            let merged = |sent| {
                let (stored, sent) = pair(&left, sent);
                stored.merge(&sent).unwrap().value().clone()
            };
            let mut want = merged(&beside);
            want["ports"].as_array_mut().unwrap().pop();
            assert_eq!(merged(&right), want, "{left} {right}");
        }
    }
}

#[test]
fn what_is_as_it_is_said_is_not_copied() {
    let stored = json!({
        "numeric": 1, "record": {"a": 1}, "ports": [{"port": 2, "name": "x"}, {"port": 1}], "set": ["b", "a"],
    });
    for (sent, is_same) in [
        (stored.clone(), true),
        (json!({}), true),
        (json!({"record": {}}), true),
        (json!({"ports": [{"port": 2}, {"port": 1}]}), true),
        (json!({"ports": [{"port": 2}, {"port": 1, "protocol": "TCP"}]}), false),
        (json!({"ports": [{"port": 2, "name": null}, {"port": 1}]}), false),
        (json!({"numeric": 1.0}), false),
        (json!({"set": ["a", "b"]}), false),
    ] {
        let (live, partial) = pair(&stored, &sent);
        let merged = live.merge(&partial).unwrap();
        assert_eq!(std::ptr::eq(merged.value(), live.value()), is_same, "{sent}");
    }
}

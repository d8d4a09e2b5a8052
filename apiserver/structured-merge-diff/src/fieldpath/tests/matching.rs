use serde_json::{Value, json};

use super::{path, set};
use crate::fieldpath::{Filter, Pattern, SetMatcher};

/// The matcher of a prefix in which `*` stands for any step.
fn prefix(steps: &Value) -> SetMatcher {
    let steps = path(steps);
    SetMatcher::prefix(
        steps
            .iter()
            .map(|step| if *step == "*".into() { Pattern::Any } else { Pattern::Element(step.clone()) })
            .collect::<Vec<_>>(),
    )
}

#[test]
fn an_exclusion_takes_what_is_below_along() {
    let filter = Filter::Exclude(set(json!([["status"], ["metadata", "generation"]])));
    let all =
        set(json!([["status"], ["status", "a", "b"], ["metadata", "generation"], ["metadata", "name"], ["spec"]]));
    assert_eq!(filter.apply(&all), set(json!([["metadata", "name"], ["spec"]])));
}

#[test]
fn an_inclusion_keeps_what_matches() {
    let all = set(json!([
        ["spec"],
        ["spec", "list", {"name": "a"}, "image"],
        ["spec", "list", {"name": "b"}, "image"],
        ["spec", "list", {"name": "b"}, "args"],
        ["spec", "set", "=x"],
        ["status", "phase"],
    ]));
    for (prefixes, kept) in [
        (json!([]), all.clone()),
        (json!([[]]), all.clone()),
        (json!([["status"]]), set(json!([["status", "phase"]]))),
        (
            json!([["spec", "list", "*", "image"]]),
            set(json!([
                ["spec"],
                ["spec", "list", {"name": "a"}, "image"],
                ["spec", "list", {"name": "b"}, "image"],
            ])),
        ),
        (
            json!([["spec", "list", {"name": "b"}], ["spec", "set", "=x"]]),
            set(json!([
                ["spec"],
                ["spec", "list", {"name": "b"}, "image"],
                ["spec", "list", {"name": "b"}, "args"],
                ["spec", "set", "=x"],
            ])),
        ),
        (json!([["nothing"]]), set(json!([]))),
    ] {
        let filter = Filter::include(prefixes.as_array().unwrap().iter().map(prefix));
        assert_eq!(filter.apply(&all), kept, "{prefixes}");
    }
}

#[test]
fn a_merged_matcher_matches_what_either_does() {
    let one = prefix(&json!(["a", "b"]));
    let two = prefix(&json!(["a", "c"]));
    let all = set(json!([["a", "b"], ["a", "c", "d"], ["a", "e"]]));
    assert_eq!(all.filter_include_matches(&one.merge(&two)), set(json!([["a", "b"], ["a", "c", "d"]])));
    assert_eq!(one.merge(&SetMatcher::any()), SetMatcher::Any);
}

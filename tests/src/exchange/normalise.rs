//! Replacing what legitimately differs between two servers.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::value::{Object, Value, segments};

const PATTERN: &str = "a pattern";
static TIME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\n?$").expect(PATTERN));
static TIME_WITHIN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").expect(PATTERN));
static UID: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").expect(PATTERN));
static AGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(<unknown>|<invalid>|(\d+[smhdy])+)\n?$").expect(PATTERN));
static RESOURCE_VERSION_WITHIN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"resource version: \d+( \(\d+\))?").expect(PATTERN));

/// Gives uids and resourceVersions tokens numbered by first appearance, so that equal values have equal tokens all
/// through a scenario. Answers are to be given to it in the order in which they came.
#[derive(Debug)]
pub struct Normaliser {
    literals: Vec<(String, String)>,
    uids: HashMap<String, String>,
    resource_versions: HashMap<String, String>,
}

impl Normaliser {
    /// One for a run in which each first text of `literals` stands for the second.
    pub fn new(literals: Vec<(String, String)>) -> Self {
        Self { literals, uids: HashMap::new(), resource_versions: HashMap::new() }
    }

    /// Text, as in messages, keys and headers.
    pub fn text(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (literal, token) in &self.literals {
            if text.contains(literal.as_str()) {
                text = text.replace(literal.as_str(), token);
            }
        }
        let uids = &mut self.uids;
        let text = UID.replace_all(&text, |found: &Captures<'_>| {
            let token = format!("<uid-{}>", uids.len() + 1);
            uids.entry(found[0].to_owned()).or_insert(token).clone()
        });
        let text = RESOURCE_VERSION_WITHIN.replace_all(&text, "resource version: <n>");
        TIME_WITHIN.replace_all(&text, "<time>").into_owned()
    }

    /// A whole answer.
    pub fn value(&mut self, value: &Value) -> Value {
        self.member(value, None)
    }

    /// A value under `key`; elements of a list are under the key of their list.
    fn member(&mut self, value: &Value, key: Option<&str>) -> Value {
        match value {
            Value::Object(object) => Value::Object(self.object(object)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.member(item, key)).collect()),
            Value::String(text) if key == Some("resourceVersion") => Value::String(self.resource_version(text)),
            Value::String(text) if TIME.is_match(text) => "<time>".into(),
            Value::String(text) => Value::String(self.text(text)),
            other => other.clone(),
        }
    }

    fn object(&mut self, object: &Object) -> Object {
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
        let is_list = kind.ends_with("List") || kind == "Table";
        let members: Vec<(String, Value)> = object
            .iter()
            .map(|(key, value)| match (key, value) {
                ("metadata", Value::Object(metadata)) if is_list => {
                    (key.to_owned(), Value::Object(self.list_metadata(metadata)))
                }
                ("cells", Value::Array(cells)) => {
                    (key.to_owned(), Value::Array(cells.iter().map(|cell| self.cell(cell)).collect()))
                }
                _ => {
                    // The value is met before its key is, where both hold a uid.
                    let value = self.member(value, Some(key));
                    (self.text(key), value)
                }
            })
            .collect();
        members.into_iter().collect()
    }

    fn list_metadata(&mut self, metadata: &Object) -> Object {
        let members = metadata.iter().map(|(key, value)| {
            let empty = matches!(value, Value::Null) || value.as_str() == Some("");
            let value = match key {
                "resourceVersion" | "continue" if empty => value.clone(),
                "resourceVersion" => "<list-rv>".into(),
                "continue" => "<continue>".into(),
                _ => self.member(value, Some(key)),
            };
            (key.to_owned(), value)
        });
        members.collect()
    }

    fn cell(&mut self, cell: &Value) -> Value {
        match cell {
            Value::String(text) if AGE.is_match(text) => "<age>".into(),
            other => self.member(other, None),
        }
    }

    fn resource_version(&mut self, version: &str) -> String {
        if version.is_empty() || version == "0" {
            return version.to_owned();
        }
        let token = format!("<rv-{}>", self.resource_versions.len() + 1);
        self.resource_versions.entry(version.to_owned()).or_insert(token).clone()
    }
}

/// Replaces the part of `value` at `pointer` by `<ignored>`, if it is there; the segment `*` is every member or element.
pub fn ignore(value: &mut Value, pointer: &str) {
    if let [first, rest @ ..] = segments(pointer).as_slice() {
        ignore_at(value, first, rest);
    }
}

fn ignore_at(value: &mut Value, head: &str, rest: &[String]) {
    let found: Vec<&mut Value> = match value {
        Value::Array(items) if head == "*" => items.iter_mut().collect(),
        Value::Array(items) => head.parse().ok().and_then(|at: usize| items.get_mut(at)).into_iter().collect(),
        Value::Object(object) if head == "*" => object.values_mut().collect(),
        Value::Object(object) => object.get_mut(head).into_iter().collect(),
        _ => Vec::new(),
    };
    for part in found {
        match rest {
            [] => *part = "<ignored>".into(),
            [next, rest @ ..] => ignore_at(part, next, rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::print::compact;
    use super::super::read::json;
    use super::*;

    const UID_A: &str = "aaaaaaaa-0000-4000-8000-000000000001";
    const UID_B: &str = "bbbbbbbb-0000-4000-8000-000000000002";

    /// What each answer becomes, given one after the other.
    fn normalised(answers: &[&str]) -> Vec<String> {
        let literals = vec![("x-1234".to_owned(), "${ns}".to_owned()), ("1234".to_owned(), "${tag}".to_owned())];
        let mut normaliser = Normaliser::new(literals);
        answers.iter().map(|answer| compact(&normaliser.value(&json(answer).unwrap()))).collect()
    }

    #[test]
    fn equal_uids_and_versions_get_equal_tokens_numbered_by_first_appearance() {
        let answers = [
            format!(r#"{{"resourceVersion":"9","uid":"{UID_B}","message":"of {UID_A} and {UID_B}"}}"#),
            format!(r#"{{"uid":"{UID_A}","resourceVersion":"11","list":[{{"resourceVersion":"9"}}]}}"#),
            r#"{"resourceVersion":"0","other":"9","items":[{"resourceVersion":""}]}"#.to_owned(),
        ];
        assert_eq!(
            normalised(&answers.each_ref().map(String::as_str)),
            [
                r#"{"resourceVersion": "<rv-1>", "uid": "<uid-1>", "message": "of <uid-2> and <uid-1>"}"#,
                r#"{"uid": "<uid-2>", "resourceVersion": "<rv-2>", "list": [{"resourceVersion": "<rv-1>"}]}"#,
                r#"{"resourceVersion": "0", "other": "9", "items": [{"resourceVersion": ""}]}"#,
            ]
        );
    }

    #[test]
    fn tokens_are_numbered_in_the_order_of_the_answer_and_values_before_their_keys() {
        let answer = format!(r#"{{"z":"{UID_B}","a":"{UID_A}"}}"#);
        assert_eq!(normalised(&[&answer]), [r#"{"z": "<uid-1>", "a": "<uid-2>"}"#]);
        let keyed = format!(r#"{{"k:{UID_B}":{{"v":"{UID_A}"}}}}"#);
        assert_eq!(normalised(&[&keyed]), [r#"{"k:<uid-2>": {"v": "<uid-1>"}}"#]);
    }

    #[test]
    fn names_times_ages_and_numbers_in_messages_become_tokens() {
        let cases = [
            (r#"{"a":"in x-1234, 1234, 12345"}"#, r#"{"a": "in ${ns}, ${tag}, ${tag}5"}"#),
            (r#"["2026-01-02T03:04:05Z","2026-01-02T03:04:05.678901Z"]"#, r#"["<time>", "<time>"]"#),
            (r#"["at 2026-01-02T03:04:05Z.","2026-01-02"]"#, r#"["at <time>.", "2026-01-02"]"#),
            (
                r#"["too large resource version: 12 (34)!","too old resource version: 7"]"#,
                r#"["too large resource version: <n>!", "too old resource version: <n>"]"#,
            ),
            (
                r#"{"cells":["5m3s","<unknown>","5x",7,"3d"],"age":"3d"}"#,
                r#"{"cells": ["<age>", "<age>", "5x", 7, "<age>"], "age": "3d"}"#,
            ),
        ];
        for (answer, expected) in cases {
            assert_eq!(normalised(&[answer]), [expected]);
        }
    }

    #[test]
    fn a_list_has_no_version_of_its_own_in_the_numbering() {
        let cases = [
            (
                r#"{"kind":"PodList","metadata":{"resourceVersion":"5","continue":"abc","remainingItemCount":3},"items":[{"metadata":{"resourceVersion":"5"}}]}"#,
                r#"{"kind": "PodList", "metadata": {"resourceVersion": "<list-rv>", "continue": "<continue>", "remainingItemCount": 3}, "items": [{"metadata": {"resourceVersion": "<rv-1>"}}]}"#,
            ),
            (
                r#"{"kind":"Table","metadata":{"resourceVersion":"","continue":""}}"#,
                r#"{"kind": "Table", "metadata": {"resourceVersion": "", "continue": ""}}"#,
            ),
            (
                r#"{"kind":"Pod","metadata":{"resourceVersion":"5","continue":"abc"}}"#,
                r#"{"kind": "Pod", "metadata": {"resourceVersion": "<rv-1>", "continue": "abc"}}"#,
            ),
        ];
        for (answer, expected) in cases {
            assert_eq!(normalised(&[answer]), [expected]);
        }
    }

    #[test]
    fn ignored_parts_are_replaced_and_missing_ones_are_left_alone() {
        let cases = [
            ("/a/b", r#"{"a": {"b": "<ignored>", "c": [1, 2]}, "x/y": 3}"#),
            ("/a/*", r#"{"a": {"b": "<ignored>", "c": "<ignored>"}, "x/y": 3}"#),
            ("/a/c/*", r#"{"a": {"b": 0, "c": ["<ignored>", "<ignored>"]}, "x/y": 3}"#),
            ("/a/c/1", r#"{"a": {"b": 0, "c": [1, "<ignored>"]}, "x/y": 3}"#),
            ("/x~1y", r#"{"a": {"b": 0, "c": [1, 2]}, "x/y": "<ignored>"}"#),
            ("/a/c/2", r#"{"a": {"b": 0, "c": [1, 2]}, "x/y": 3}"#),
            ("/a/c/-1", r#"{"a": {"b": 0, "c": [1, 2]}, "x/y": 3}"#),
            ("/a/b/c", r#"{"a": {"b": 0, "c": [1, 2]}, "x/y": 3}"#),
            ("/none/*", r#"{"a": {"b": 0, "c": [1, 2]}, "x/y": 3}"#),
        ];
        for (pointer, expected) in cases {
            let mut value = json(r#"{"a":{"b":0,"c":[1,2]},"x/y":3}"#).unwrap();
            ignore(&mut value, pointer);
            assert_eq!(compact(&value), expected, "{pointer}");
        }
    }
}

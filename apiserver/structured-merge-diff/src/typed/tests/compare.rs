use serde_json::{Value, json};

use super::{lines, pair};

type Paths = &'static [&'static str];

#[test]
fn changes_are_told_at_the_leaves_and_items() {
    // before, after, removed, modified, added
    let cases: Vec<(Value, Value, Paths, Paths, Paths)> = vec![
        (json!(null), json!({}), &[], &[], &[]),
        (json!({"numeric": 1}), json!({"numeric": 1.0}), &[], &[], &[]),
        (json!({"numeric": 1}), json!({"numeric": 2}), &[], &[".numeric"], &[]),
        (json!({"numeric": 1}), json!({"numeric": null}), &[], &[".numeric"], &[]),
        (json!({}), json!({"numeric": 1, "string": null}), &[], &[], &[".numeric", ".string"]),
        (json!({}), json!({"record": {"a": 1}}), &[], &[], &[".record", ".record.a"]),
        (json!({"record": {}}), json!({"record": {"a": 1}}), &[], &[], &[".record.a"]),
        (json!({"record": {}}), json!({"record": null}), &[], &[".record"], &[]),
        (json!({"set": []}), json!({"set": null}), &[], &[".set"], &[]),
        (json!({"whole": {"a": 1}}), json!({"whole": {"a": 2, "b": "x"}}), &[], &[".whole"], &[]),
        (json!({"atoms": [{"id": 1}]}), json!({"atoms": [{"id": 2}]}), &[], &[".atoms"], &[]),
        (json!({"atoms": []}), json!({}), &[".atoms"], &[], &[]),
        (
            json!({"map": {"a": "1", "b": "2"}}),
            json!({"map": {"b": "3", "c": "4"}}),
            &[".map.a"],
            &[".map.b"],
            &[".map.c"],
        ),
        (json!({"set": ["a", "b"]}), json!({"set": ["c", "b"]}), &[r#".set[="a"]"#], &[], &[r#".set[="c"]"#]),
        // order is not a change
        (json!({"set": ["a", "b"]}), json!({"set": ["b", "a"]}), &[], &[], &[]),
        (
            json!({"items": [{"name": "a", "id": 1, "flag": true}, {"name": "b"}]}),
            json!({"items": [{"name": "c"}, {"name": "a", "id": 1, "flag": false, "value": {"x": "y"}}]}),
            &[r#".items[name="b"]"#, r#".items[name="b"].name"#],
            &[r#".items[id=1,name="a"].flag"#],
            &[
                r#".items[id=1,name="a"].value"#,
                r#".items[id=1,name="a"].value.x"#,
                r#".items[name="c"]"#,
                r#".items[name="c"].name"#,
            ],
        ),
        // a default names an item as its value does
        (
            json!({"ports": [{"port": 80}]}),
            json!({"ports": [{"port": 80, "protocol": "TCP"}]}),
            &[],
            &[],
            &[r#".ports[port=80,protocol="TCP"].protocol"#],
        ),
        // duplicates count as one value
        (json!({"set": ["a", "a"]}), json!({"set": ["a", "a", "a"]}), &[], &[r#".set[="a"]"#], &[]),
        (json!({"set": ["a", "a"]}), json!({"set": []}), &[r#".set[="a"]"#], &[], &[]),
        (
            json!({"items": [{"name": "a", "flag": true}, {"name": "a"}]}),
            json!({"items": [{"name": "a", "flag": true}]}),
            &[r#".items[name="a"]"#],
            &[],
            &[r#".items[name="a"]"#, r#".items[name="a"].flag"#, r#".items[name="a"].name"#],
        ),
        // values that take another form
        (json!({"free": {"a": 1}}), json!({"free": {"a": {"b": 1}}}), &[], &[".free.a"], &[".free.a.b"]),
        (json!({"free": {"a": [1]}}), json!({"free": {"a": "x"}}), &[], &[".free.a"], &[]),
    ];
    for (before, after, removed, modified, added) in cases {
        let (before, after) = pair(&before, &after);
        let forth = before.compare(&after).unwrap();
        let back = after.compare(&before).unwrap();
        let what = format!("{} to {}", before.value(), after.value());
        assert_eq!(lines(&forth.removed), removed, "removed, {what}");
        assert_eq!(lines(&forth.modified), modified, "modified, {what}");
        assert_eq!(lines(&forth.added), added, "added, {what}");
        assert_eq!((&back.added, &back.removed), (&forth.removed, &forth.added), "the way back, {what}");
        assert_eq!(forth.is_same(), removed.is_empty() && modified.is_empty() && added.is_empty());
    }
}

#[test]
fn a_comparison_shows_what_it_holds() {
    let (before, after) = pair(&json!({"numeric": 1, "bool": true}), &json!({"numeric": 2, "string": "x"}));
    assert_eq!(
        before.compare(&after).unwrap().to_string(),
        "- Modified Fields:\n.numeric\n- Added Fields:\n.string\n- Removed Fields:\n.bool\n"
    );
}

use serde_json::{Value, json};

use super::{path, set};
use crate::fieldpath::Set;
use crate::schema::{Schema, TypeRef};

#[test]
fn a_set_has_what_was_inserted_and_not_its_parents() {
    let paths = [json!(["a", "b", "c"]), json!(["a"]), json!(["l", {"name": "x"}, "v"]), json!(["s", "=x"])];
    let set = set(json!(paths));
    for steps in &paths {
        assert!(set.has(&path(steps)), "{steps} in {set}");
    }
    for absent in [json!([]), json!(["a", "b"]), json!(["l"]), json!(["l", {"name": "x"}]), json!(["s", "x"])] {
        assert!(!set.has(&path(&absent)), "{absent} in {set}");
    }
    assert_eq!(set.len(), paths.len());
}

#[test]
fn the_whole_object_is_never_a_member() {
    assert!(set(json!([[]])).is_empty());
}

#[test]
fn members_are_visited_parents_first() {
    let set = set(json!([["b", "x"], ["a", "x"], ["b"], ["a", "x", "y"], [2], [{"k": 1}], ["=v"]]));
    assert_eq!(set.to_string(), ".b\n[k=1]\n[=\"v\"]\n[2]\n.a.x\n.a.x.y\n.b.x");
}

/// The operations on two sets, in turn: union, intersection, difference, recursive difference.
#[test]
fn sets_combine() {
    let cases: Vec<(Value, Value, [Value; 4])> = vec![
        // leaves
        (
            json!([["a"], ["b"]]),
            json!([["b"], ["c"]]),
            [json!([["a"], ["b"], ["c"]]), json!([["b"]]), json!([["a"]]), json!([["a"]])],
        ),
        // a parent against its child: only the recursive difference takes the child along
        (json!([["a", "b"]]), json!([["a"]]), [json!([["a"], ["a", "b"]]), json!([]), json!([["a", "b"]]), json!([])]),
        (json!([["a"]]), json!([["a", "b"]]), [json!([["a"], ["a", "b"]]), json!([]), json!([["a"]]), json!([["a"]])]),
        // deep, with what is not in the other set left alone
        (
            json!([["a", "b", "c"], ["a", "b", "d"], ["x", "y"], ["z"]]),
            json!([["a", "b"], ["x", "y", "q"], ["a", "b", "c"]]),
            [
                json!([["a", "b"], ["a", "b", "c"], ["a", "b", "d"], ["x", "y"], ["x", "y", "q"], ["z"]]),
                json!([["a", "b", "c"]]),
                json!([["a", "b", "d"], ["x", "y"], ["z"]]),
                json!([["x", "y"], ["z"]]),
            ],
        ),
        // keys and values
        (
            json!([["l", {"n": 1}], ["l", {"n": 1}, "v"], ["s", "=a"], ["s", "=b"]]),
            json!([["l", {"n": 1.0}, "v"], ["s", "=b"], ["l", {"n": 2}]]),
            [
                json!([["l", {"n": 1}], ["l", {"n": 1}, "v"], ["l", {"n": 2}], ["s", "=a"], ["s", "=b"]]),
                json!([["l", {"n": 1}, "v"], ["s", "=b"]]),
                json!([["l", {"n": 1}], ["s", "=a"]]),
                json!([["l", {"n": 1}], ["s", "=a"]]),
            ],
        ),
        (json!([["a"]]), json!([]), [json!([["a"]]), json!([]), json!([["a"]]), json!([["a"]])]),
        (json!([]), json!([["a", "b"]]), [json!([["a", "b"]]), json!([]), json!([]), json!([])]),
    ];
    for (a, b, expected) in cases {
        let (a, b) = (set(a), set(b));
        let [union, intersection, difference, recursive] = expected.map(set);
        assert_eq!(a.union(&b), union, "union of\n{a}\nand\n{b}");
        assert_eq!(b.union(&a), union, "union of\n{b}\nand\n{a}");
        assert_eq!(a.intersection(&b), intersection, "intersection of\n{a}\nand\n{b}");
        assert_eq!(a.difference(&b), difference, "difference of\n{a}\nand\n{b}");
        assert_eq!(a.recursive_difference(&b), recursive, "recursive difference of\n{a}\nand\n{b}");
    }
}

#[test]
fn leaves_have_no_members_below_them() {
    let all = set(json!([["a"], ["a", "b"], ["a", "b", "c"], ["l"], ["l", {"n": 1}], ["z"], ["y", "x"]]));
    assert_eq!(all.leaves(), set(json!([["a", "b", "c"], ["l", {"n": 1}], ["z"], ["y", "x"]])));
}

#[test]
fn with_prefix_goes_one_step_down() {
    let all = set(json!([["a"], ["a", "b"], ["a", "c", "d"], ["x"]]));
    assert_eq!(all.with_prefix(&"a".into()), set(json!([["b"], ["c", "d"]])));
    assert_eq!(all.with_prefix(&"x".into()), Set::new());
}

#[test]
fn struct_fields_on_the_way_become_members_and_map_keys_do_not() {
    let schema: Schema = serde_json::from_value(json!({"types": [
        {"name": "root", "map": {"fields": [
            {"name": "named", "type": {"namedType": "root"}},
            {"name": "list", "type": {"list": {
                "elementRelationship": "associative", "keys": ["name"], "elementType": {"namedType": "root"},
            }}},
            {"name": "map", "type": {"map": {"elementType": {"namedType": "root"}}}},
            {"name": "value", "type": {"scalar": "numeric"}},
        ]}},
    ]}))
    .unwrap();
    for (before, after) in [
        (json!([["named", "named", "value"]]), json!([["named"], ["named", "named"], ["named", "named", "value"]])),
        (json!([["map", "x", "value"]]), json!([["map"], ["map", "x", "value"]])),
        (
            json!([["map", "x", "named", "value"]]),
            json!([["map"], ["map", "x", "named"], ["map", "x", "named", "value"]]),
        ),
        (
            json!([["list", {"name": "a"}, "named", "value"]]),
            json!([["list"], ["list", {"name": "a"}, "named"], ["list", {"name": "a"}, "named", "value"]]),
        ),
        (json!([["unknown", "value"]]), json!([["unknown", "value"]])),
    ] {
        assert_eq!(set(before).ensure_named_fields_are_members(&schema, &TypeRef::named("root")), set(after));
    }
}

#[test]
fn what_sets_share_is_not_changed_through_one_of_them() {
    let before = set(json!([["a", "b"], ["c"]]));
    let mut after = before.clone();
    after.insert(&path(&json!(["a", "d"])));
    assert_eq!(before, set(json!([["a", "b"], ["c"]])));
    assert_eq!(after, set(json!([["a", "b"], ["a", "d"], ["c"]])));
}

use serde_json::json;

use super::*;

/// A schema written as JSON: a field's `s` is its strategy, `k` its merge key, `n` the name of its type, `f` its fields.
struct TestSchema<'a>(&'a Value);

impl Lookup for TestSchema<'_> {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        let field = self.0.get("f")?.get(name)?;
        let text = |key: &str| field.get(key).and_then(Value::as_str).unwrap_or_default();
        Some(Field {
            strategy: Strategy::parse(text("s")),
            merge_key: field.get("k").and_then(Value::as_str),
            schema: Box::new(TestSchema(field)),
        })
    }

    fn type_name(&self) -> TypeName<'_> {
        match (self.0.get("f"), self.0.get("n").and_then(Value::as_str)) {
            (Some(_), name) => TypeName::Struct(name.unwrap_or_default()),
            (None, kind) => TypeName::Kind(kind.unwrap_or("map")),
        }
    }
}

fn pod_spec() -> Value {
    json!({"n": "PodSpec", "f": {
        "containers": {"s": "merge", "k": "name", "n": "Container", "f": {
            "ports": {"s": "merge", "k": "containerPort", "f": {}},
            "env": {"s": "merge", "k": "name", "f": {}},
            "args": {"n": "string"},
        }},
        "volumes": {"s": "merge,retainKeys", "k": "name", "f": {"configMap": {"f": {}}, "emptyDir": {"f": {}}}},
        "tolerations": {"f": {}},
        "nodeSelector": {"n": "map"},
        "strategy": {"s": "retainKeys", "f": {"rollingUpdate": {"f": {}}}},
        "finalizers": {"s": "merge", "n": "string"},
        "atomic": {"s": "replace", "f": {}},
        "nested": {"n": "map"},
        "keyless": {"s": "merge", "f": {}},
    }})
}

fn patched(document: Value, patch: Value) -> Result<Value, PatchError> {
    apply(document, &patch, &TestSchema(&pod_spec()))
}

fn names(list: &[&str]) -> Value {
    list.iter().map(|name| json!({"name": name})).collect()
}

#[test]
fn patches_are_merged_by_the_schema() {
    let cases = [
        ("scalars are replaced", json!({"x": 1}), json!({"x": 2, "y": "a"}), json!({"x": 2, "y": "a"})),
        ("null deletes", json!({"x": 1, "y": 2}), json!({"x": null, "z": null}), json!({"y": 2})),
        ("a null patch changes nothing", json!({"x": 1}), json!(null), json!({"x": 1})),
        (
            "maps are merged",
            json!({"nodeSelector": {"a": "1", "b": "2"}}),
            json!({"nodeSelector": {"b": null, "c": "3"}}),
            json!({"nodeSelector": {"a": "1", "c": "3"}}),
        ),
        (
            "a map with the replace strategy is replaced",
            json!({"atomic": {"a": "1"}}),
            json!({"atomic": {"b": "2"}}),
            json!({"atomic": {"b": "2"}}),
        ),
        (
            "what is new has neither nulls nor directives",
            json!({}),
            json!({"strategy": {"type": null, "x": {"$patch": "delete"}, "l": [{"a": null}, {"$patch": "delete"}]}}),
            json!({"strategy": {"l": [{}]}}),
        ),
        (
            "a new map that is a directive is dropped",
            json!({}),
            json!({"strategy": {"$patch": "replace", "a": 1}}),
            json!({}),
        ),
        (
            "another type replaces",
            json!({"nodeSelector": {"a": "1"}}),
            json!({"nodeSelector": ["x"]}),
            json!({"nodeSelector": ["x"]}),
        ),
        (
            "a list without the merge strategy is replaced",
            json!({"tolerations": [{"key": "a"}]}),
            json!({"tolerations": [{"key": "b"}]}),
            json!({"tolerations": [{"key": "b"}]}),
        ),
        (
            "a keyed list is merged, new items before what the patch does not know",
            json!({"containers": [{"name": "a", "image": "i"}, {"name": "b"}]}),
            json!({"containers": [{"name": "c"}, {"name": "a", "image": "j"}]}),
            json!({"containers": [{"name": "c"}, {"name": "a", "image": "j"}, {"name": "b"}]}),
        ),
        (
            "nested keyed lists are merged",
            json!({"containers": [{"name": "a", "ports": [{"containerPort": 80}, {"containerPort": 53, "name": "dns"}]}]}),
            json!({"containers": [{"name": "a", "ports": [{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 81}]}]}),
            json!({"containers": [{"name": "a", "ports": [
                {"containerPort": 80}, {"containerPort": 53, "name": "dns", "protocol": "TCP"}, {"containerPort": 81}]}]}),
        ),
        (
            "an item is deleted",
            json!({"containers": names(&["a", "b", "c"])}),
            json!({"containers": [{"$patch": "delete", "name": "b"}, {"name": "c", "x": 1}]}),
            json!({"containers": [{"name": "a"}, {"name": "c", "x": 1}]}),
        ),
        (
            "a list is replaced by directive",
            json!({"containers": names(&["a", "b"])}),
            json!({"containers": [{"$patch": "replace"}, {"name": "z"}, {"name": "y"}]}),
            json!({"containers": names(&["z", "y"])}),
        ),
        (
            "a map is replaced by directive",
            json!({"strategy": {"type": "x", "a": 1}}),
            json!({"strategy": {"$patch": "replace", "b": 2}}),
            json!({"strategy": {"b": 2}}),
        ),
        (
            "a map is emptied by directive",
            json!({"strategy": {"type": "x"}}),
            json!({"strategy": {"$patch": "delete"}}),
            json!({"strategy": {}}),
        ),
        (
            "an item of a list is replaced by directive in the list only",
            json!({"containers": [{"name": "a", "image": "i"}]}),
            json!({"containers": []}),
            json!({"containers": [{"name": "a", "image": "i"}]}),
        ),
        (
            "a set of scalars is merged, the patch's first",
            json!({"finalizers": ["b", "c"]}),
            json!({"finalizers": ["a", "c", "a"]}),
            json!({"finalizers": ["a", "b", "c"]}),
        ),
        (
            "scalars are deleted",
            json!({"finalizers": ["a", "b", "c"]}),
            json!({"$deleteFromPrimitiveList/finalizers": ["a", "x"]}),
            json!({"finalizers": ["b", "c"]}),
        ),
        (
            "scalars are deleted from no list",
            json!({}),
            json!({"$deleteFromPrimitiveList/finalizers": ["a"]}),
            json!({}),
        ),
        (
            "only retained keys stay",
            json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
            json!({"volumes": [{"$retainKeys": ["name", "configMap"], "name": "v", "configMap": {"name": "cm"}}]}),
            json!({"volumes": [{"name": "v", "configMap": {"name": "cm"}}]}),
        ),
        (
            "the order is set",
            json!({"containers": names(&["a", "b", "c"])}),
            json!({"$setElementOrder/containers": names(&["c", "b", "a"])}),
            json!({"containers": names(&["c", "b", "a"])}),
        ),
        (
            "the order is set with a new item",
            json!({"containers": names(&["a", "b", "c"])}),
            json!({"$setElementOrder/containers": names(&["a", "d", "b", "c"]), "containers": names(&["d"])}),
            json!({"containers": names(&["a", "d", "b", "c"])}),
        ),
        (
            "items the order does not name keep their place",
            json!({"containers": names(&["a", "d", "b", "c"])}),
            json!({"$setElementOrder/containers": names(&["c", "a"])}),
            json!({"containers": names(&["d", "b", "c", "a"])}),
        ),
        (
            "the order may name what is not there",
            json!({"containers": names(&["a", "d", "b", "c"])}),
            json!({"$setElementOrder/containers": names(&["d", "ghost", "a"])}),
            json!({"containers": names(&["d", "a", "b", "c"])}),
        ),
        (
            "the order is set with a deletion",
            json!({"containers": names(&["a", "d", "b", "c"])}),
            json!({"$setElementOrder/containers": names(&["c", "b", "a"]), "containers": [{"$patch": "delete", "name": "d"}]}),
            json!({"containers": names(&["c", "b", "a"])}),
        ),
        (
            "the order of a set of scalars is set",
            json!({"finalizers": ["a", "b"]}),
            json!({"$setElementOrder/finalizers": ["c", "b", "a"], "finalizers": ["c"]}),
            json!({"finalizers": ["c", "b", "a"]}),
        ),
        (
            "the order of a list that is new is set",
            json!({}),
            json!({"$setElementOrder/containers": names(&["a", "b"]), "containers": [{"name": "a", "x": {"$patch": "delete"}}, {"name": "b"}]}),
            json!({"containers": names(&["a", "b"])}),
        ),
        (
            "an order without a list changes nothing",
            json!({}),
            json!({"$setElementOrder/containers": names(&["a"])}),
            json!({}),
        ),
    ];
    for (what, document, patch, want) in cases {
        assert_eq!(patched(document, patch), Ok(want), "{what}");
    }
}

#[test]
fn a_patch_that_does_not_fit_is_refused_in_upstreams_words() {
    let live = || {
        json!({"containers": names(&["a", "b"]), "strategy": {"type": "x"}, "finalizers": ["a"],
                         "nested": {"m": {"k": "v"}}, "keyless": [{"a": 1}], "unknown": {"a": 1}, "other": []})
    };
    for (patch, code, want) in [
        (
            json!({"$setElementOrder/containers": names(&["a"]), "containers": [{"image": "i3", "name": "b"}]}),
            500,
            "The order in patch list:\n[map[image:i3 name:b]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n",
        ),
        (
            json!({"$setElementOrder/containers": names(&["a", "b"]), "containers": [{"image": "i3", "name": "b"}, {"image": "i3", "name": "a"}]}),
            500,
            "The order in patch list:\n[map[image:i3 name:b] map[image:i3 name:a]]\n doesn't match $setElementOrder list:\n[map[name:a] map[name:b]]\n",
        ),
        (json!({"$setElementOrder/containers": "a"}), 500, "expected a []interface {}, but received a string"),
        (
            json!({"$setElementOrder/containers": [{"image": "x"}, {"name": "a"}]}),
            500,
            "map: map[image:x] does not contain declared merge key: name",
        ),
        (
            json!({"$setElementOrder/nosuch": [{"name": "a"}]}),
            500,
            "unable to find api field in struct PodSpec for the json field \"nosuch\"",
        ),
        (json!({"$setElementOrder": []}), 400, "invalid patch format of setElementOrder list"),
        (json!({"$setElementOrderX/containers": []}), 400, "invalid patch format of setElementOrder list"),
        (json!({"$deleteFromPrimitiveList": []}), 400, "invalid patch format of primitive list"),
        (json!({"containers": [{"image": "x"}]}), 500, "map: map[image:x] does not contain declared merge key: name"),
        (
            json!({"containers": [{"$patch": "delete"}]}),
            500,
            "map: map[$patch:delete] does not contain declared merge key: name",
        ),
        (
            json!({"containers": [{"$patch": "merge", "name": "a"}]}),
            500,
            "merging lists cannot yet be specified in the patch",
        ),
        (
            json!({"containers": [{"$patch": "x", "name": "a"}]}),
            500,
            "unknown patch type: x in map: map[$patch:x name:a]",
        ),
        (json!({"strategy": {"$patch": "merge"}}), 500, "unknown patch type: merge in map: map[$patch:merge]"),
        (json!({"strategy": {"$patch": 1}}), 500, "unknown patch type: %!s(int64=1) in map: map[$patch:1]"),
        (json!({"containers": ["a"]}), 500, "list element types are not identical: [[map[name:a] map[name:b]] [a]]"),
        (json!({"finalizers": [1]}), 500, "list element types are not identical: [[a] [1]]"),
        (json!({"keyless": [{"a": 1}]}), 500, "cannot merge lists without merge key for struct"),
        (
            json!({"nested": {"m": {"k": "w"}}}),
            500,
            "merging an object in json but data type is not struct, instead is: map",
        ),
        (
            json!({"unknown": {"a": 2}}),
            500,
            "unable to find api field in struct PodSpec for the json field \"unknown\"",
        ),
        (json!({"other": []}), 500, "unable to find api field in struct PodSpec for the json field \"other\""),
        (json!({"strategy": {"$retainKeys": "x"}}), 400, "invalid patch format of retainKeys"),
        (json!({"strategy": {"$retainKeys": ["a"], "b": 1}}), 400, "invalid patch format of retainKeys"),
        (json!([1]), 400, "json: cannot unmarshal array into Go value of type map[string]interface {}"),
    ] {
        let error = patched(live(), patch.clone()).expect_err(&patch.to_string());
        assert_eq!(error.to_string(), want, "{patch}");
        assert_eq!(crate::StatusError::from(error).code(), code, "{patch}");
    }
    let lists = patched(json!({"finalizers": [["a"]]}), json!({"finalizers": [["b"]]})).unwrap_err();
    assert_eq!(lists.to_string(), "lists of lists are not supported");
    assert_eq!(
        crate::StatusError::from(lists).message(),
        "the server rejected our request due to an error in our request"
    );
}

#[test]
fn what_is_left_of_a_patch_is_without_what_was_followed() {
    let document = json!({"a": {"b": 1}, "list": [{"name": "x"}], "scalar": 1});
    for (patch, want) in [
        (json!({"a": {"b": null, "c": {"d": null, "e": 1}}}), json!({"a": {"b": null, "c": {"e": 1}}})),
        (json!({"new": {"x": null, "y": [{"z": null}]}}), json!({"new": {"y": [{}]}})),
        (json!({"scalar": {"x": null}, "gone": null}), json!({"scalar": {}, "gone": null})),
        (json!({"a": {"$patch": "replace", "b": null}}), json!({"a": {"b": null}})),
        (json!({"a": {"$retainKeys": ["b"], "b": 2}}), json!({"a": {"b": 2}})),
        (json!({"$setElementOrder/list": [{"name": "x"}], "list": [{"name": "x"}], "a": 1}), json!({"a": 1})),
        (json!({"list": [{"name": "x", "y": null}]}), json!({"list": [{"name": "x", "y": null}]})),
    ] {
        assert_eq!(leftover(&document, &patch), want, "{patch}");
    }
}

mod random {
    use proptest::prelude::*;

    use super::{Value, json, names, patched};

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3i64).prop_map(Value::from),
            "[ab]|delete|replace|merge".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 4, |inner| {
            let key = "containers|finalizers|strategy|name|ports|volumes|nodeSelector|keyless|[$]patch|[$]retainKeys\
                       |[$]setElementOrder/(containers|finalizers|keyless)|[$]deleteFromPrimitiveList/finalizers";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..4).prop_map(|pairs| pairs.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_patch_is_applied_or_refused(document in any_value(), patch in any_value()) {
            let _ = patched(document, patch);
        }

        #[test]
        fn the_order_asked_for_is_the_order_given(live in Just(vec!["a", "b", "c", "d"]).prop_shuffle(), wanted in Just(vec!["a", "b", "c", "d", "e"]).prop_shuffle()) {
            let document = json!({"containers": names(&live)});
            let patch = json!({"$setElementOrder/containers": names(&wanted), "containers": names(&["e"])});
            prop_assert_eq!(patched(document, patch), Ok(json!({"containers": names(&wanted)})));
        }

        #[test]
        fn a_patch_that_says_what_is_wanted_says_it_twice_for_nothing(
            document in named_lists(), patch in named_lists(), deletions in named_deletions(), order in any::<bool>(),
        ) {
            let mut patch = patch;
            let fields = patch.as_object_mut().unwrap();
            if order {
                let wanted = names_of(fields.get("containers"));
                fields.insert("$setElementOrder/containers".into(), names(&wanted.iter().map(String::as_str).collect::<Vec<_>>()));
            }
            fields.extend(deletions.as_object().unwrap().clone());
            let once = patched(document.clone(), patch.clone());
            if let Ok(once) = once {
                let twice = patched(once.clone(), patch.clone());
                prop_assert_eq!(twice.as_ref(), Ok(&once), "{} on {}", patch, document);
            }
        }

        #[test]
        fn what_a_patch_does_not_name_stays(document in named_lists(), patch in named_lists()) {
            let got = patched(document.clone(), patch.clone()).unwrap();
            for (key, value) in document.as_object().unwrap() {
                if patch.get(key).is_none() {
                    prop_assert_eq!(got.get(key), Some(value), "{}", key);
                }
            }
            // So do the items and the fields of items of a list that is merged.
            let item = |object: &Value, name: &str| {
                object["containers"].as_array().into_iter().flatten().find(|item| item["name"] == name).cloned()
            };
            for name in names_of(document.get("containers")) {
                let (before, after) = (item(&document, &name).unwrap(), item(&got, &name));
                let of_patch = item(&patch, &name).unwrap_or_default();
                let after = after.unwrap_or_else(|| panic!("{name} is lost from {got}"));
                for (key, value) in before.as_object().unwrap() {
                    if of_patch.get(key).is_none() {
                        prop_assert_eq!(after.get(key), Some(value), "{} of {}", key, name);
                    }
                }
            }
            // What it sets is set.
            for name in names_of(patch.get("containers")) {
                let (wanted, after) = (item(&patch, &name).unwrap(), item(&got, &name).unwrap());
                for (key, value) in wanted.as_object().unwrap() {
                    prop_assert_eq!(after.get(key), Some(value), "{} of {}", key, name);
                }
            }
        }

        #[test]
        fn what_a_patch_deletes_is_gone(document in named_lists(), deletions in named_deletions()) {
            let got = patched(document, deletions.clone()).unwrap();
            let left = names_of(got.get("containers"));
            for name in names_of(deletions.get("containers")) {
                prop_assert!(!left.contains(&name), "{} is in {}", name, got);
            }
            let finalizers = got.get("finalizers").and_then(Value::as_array).cloned().unwrap_or_default();
            for gone in deletions["$deleteFromPrimitiveList/finalizers"].as_array().unwrap() {
                prop_assert!(!finalizers.contains(gone), "{} is in {}", gone, got);
            }
        }
    }

    /// Objects with a list of maps, a set, a list that is replaced, a map, and a field that the schema does not have.
    fn named_lists() -> impl Strategy<Value = Value> {
        let items = prop::collection::btree_map("[a-d]", (any::<bool>(), 0..3i64), 0..4);
        let items = (items, any::<bool>()).prop_map(|(items, reversed)| {
            let mut items: Vec<Value> = items
                .into_iter()
                .map(
                    |(name, (has, image))| {
                        if has { json!({"name": name, "image": image}) } else { json!({"name": name}) }
                    },
                )
                .collect();
            if reversed {
                items.reverse();
            }
            Value::from(items)
        });
        let optional = |strategy: BoxedStrategy<Value>| prop::option::of(strategy);
        (
            optional(items.boxed()),
            optional(prop::collection::btree_set("[a-d]", 0..4).prop_map(|set| json!(set)).boxed()),
            optional(prop::collection::vec("[a-d]", 0..3).prop_map(|list| json!(list)).boxed()),
            optional(prop::collection::btree_map("[a-d]", "[a-d]", 0..3).prop_map(|map| json!(map)).boxed()),
            optional((0..3i64).prop_map(Value::from).boxed()),
        )
            .prop_map(|(containers, finalizers, tolerations, selector, unknown)| {
                let fields = [
                    ("containers", containers),
                    ("finalizers", finalizers),
                    ("tolerations", tolerations),
                    ("nodeSelector", selector),
                    ("unknown", unknown),
                ];
                fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
            })
    }

    fn named_deletions() -> impl Strategy<Value = Value> {
        let letters = || prop::collection::btree_set("[a-d]", 0..3);
        (letters(), letters()).prop_map(|(containers, finalizers)| {
            let containers: Vec<Value> =
                containers.into_iter().map(|name| json!({"name": name, "$patch": "delete"})).collect();
            json!({"containers": containers, "$deleteFromPrimitiveList/finalizers": finalizers})
        })
    }

    fn names_of(list: Option<&Value>) -> Vec<String> {
        let items = list.and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| item["name"].as_str()).map(str::to_owned).collect()
    }
}

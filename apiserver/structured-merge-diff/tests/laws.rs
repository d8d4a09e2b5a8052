//! Laws that hold for every object, set and order of writes.

#![allow(clippy::unwrap_used)]

mod fixture;

use std::collections::BTreeMap;

use fixture::{Same, Types};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use structured_merge_diff::fieldpath::{Path, PathElement, Set};
use structured_merge_diff::typed::{Duplicates, KeyFields};
use structured_merge_diff::{ManagedFields, TypedValue, Updater, value};

const TYPES: &str = "
types:
- name: root
  map:
    fields:
    - {name: kind, type: {scalar: string}}
    - {name: size, type: {scalar: numeric}}
    - {name: set, type: {list: {elementType: {scalar: string}, elementRelationship: associative}}}
    - {name: items, type: {list: {elementType: {namedType: item}, elementRelationship: associative, keys: [name]}}}
    - {name: map, type: {map: {elementType: {scalar: string}}}}
    - {name: record, type: {namedType: item}}
    - {name: whole, type: {namedType: item, elementRelationship: atomic}}
- name: item
  map:
    fields:
    - {name: name, type: {scalar: string}}
    - {name: value, type: {scalar: numeric}}
    - {name: map, type: {map: {elementType: {scalar: string}}}}
";

fn letter() -> impl Strategy<Value = String> {
    "[a-d]"
}

fn object(fields: Vec<(&str, Option<Value>)>) -> Value {
    Value::Object(fields.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?))).collect())
}

fn strings() -> impl Strategy<Value = Value> {
    btree_map(letter(), letter(), 0..3).prop_map(|map| json!(map))
}

fn record() -> impl Strategy<Value = Value> {
    (option::of(0..3_i64), option::of(strings()))
        .prop_map(|(value, map)| object(vec![("value", value.map(Value::from)), ("map", map)]))
}

fn items() -> impl Strategy<Value = Value> {
    btree_map(letter(), record(), 0..4).prop_map(|items| {
        items
            .into_iter()
            .map(|(name, mut item)| {
                item["name"] = json!(name);
                item
            })
            .collect()
    })
}

/// An object that a client may apply: it always says what kind it is.
fn config() -> impl Strategy<Value = Value> {
    (
        option::of(0..3_i64),
        option::of(btree_set(letter(), 0..4).prop_shuffle_vec()),
        option::of(items()),
        option::of(strings()),
        option::of(record()),
        option::of(record()),
    )
        .prop_map(|(size, set, items, map, record, whole)| {
            object(vec![
                ("kind", Some(json!("root"))),
                ("size", size.map(Value::from)),
                ("set", set.map(|set| json!(set))),
                ("items", items),
                ("map", map),
                ("record", record),
                ("whole", whole),
            ])
        })
}

/// The elements of a set in any order.
trait Shuffled: Strategy<Value = std::collections::BTreeSet<String>> + Sized {
    fn prop_shuffle_vec(self) -> impl Strategy<Value = Vec<String>> {
        self.prop_map(|set| set.into_iter().collect::<Vec<_>>()).prop_shuffle()
    }
}

impl<S: Strategy<Value = std::collections::BTreeSet<String>>> Shuffled for S {}

fn element() -> impl Strategy<Value = PathElement> {
    let scalar = || {
        prop_oneof![
            any::<i32>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            (-1e6..1e6_f64).prop_map(Value::from),
            "[a-c<\"\\\\\n\u{1}\u{8}é]{0,3}".prop_map(Value::from),
            Just(Value::Null),
        ]
    };
    prop_oneof![
        "[a-c./:\"\\\\\n\u{c}é]{0,3}".prop_map(|name| PathElement::field(name.as_str())),
        btree_map("[a-c]{1,2}", scalar(), 1..3).prop_map(PathElement::key),
        scalar().prop_map(PathElement::value),
        any::<i64>().prop_map(PathElement::Index),
    ]
}

fn set() -> impl Strategy<Value = Set> {
    // Few first steps, so that paths share prefixes.
    let step = prop_oneof![3 => letter().prop_map(|name| PathElement::field(name.as_str())), 1 => element()];
    vec(vec(step, 1..4).prop_map(Path::from), 0..12).prop_map(|paths| paths.into_iter().collect())
}

fn types() -> Types {
    Types::one(TYPES, "root")
}

fn typed(types: &Types, value: &Value) -> TypedValue {
    types.typed(value.clone(), "v1", Duplicates::Reject).unwrap_or_else(|err| panic!("{value}: {err}"))
}

/// Applies by force, and answers the object and its managers.
fn apply(
    live: &TypedValue,
    config: &TypedValue,
    managers: &ManagedFields,
    manager: &str,
) -> (TypedValue, ManagedFields) {
    let updater = Updater::new(Same(vec![])).with_return_input_on_noop(true);
    let (object, managers) = updater.apply(live, config, &"v1".into(), managers.clone(), manager, true).unwrap();
    (object.unwrap(), managers)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_set_that_is_read_as_it_is_written_is_known_to_be(set in set()) {
        let fields = set.to_value();
        let (read, canonical) = Set::from_fields(&fields).unwrap();
        prop_assert_eq!(&read, &set);
        if canonical {
            prop_assert_eq!(read.to_value(), fields);
        }
    }

    #[test]
    fn a_set_survives_its_encoding(set in set()) {
        let json = set.to_json().unwrap();
        let read = Set::from_json(&json).unwrap();
        prop_assert_eq!(&read, &set, "{}", String::from_utf8_lossy(&json));
        prop_assert_eq!(read.to_json().unwrap(), json);
    }

    #[test]
    fn sets_obey_the_laws_of_sets(a in set(), b in set(), c in set()) {
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.union(&b).union(&c), a.union(&b.union(&c)));
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
        prop_assert_eq!(a.difference(&b).intersection(&b), Set::new());
        prop_assert_eq!(a.union(&b).difference(&b), a.difference(&b));
        prop_assert_eq!(a.difference(&a), Set::new());
        prop_assert_eq!(a.union(&b).len() + a.intersection(&b).len(), a.len() + b.len());
        for path in a.union(&b).paths() {
            prop_assert_eq!(a.difference(&b).has(&path), a.has(&path) && !b.has(&path));
            let below_b = (1..=path.len()).any(|n| b.has(&path[..n]));
            prop_assert_eq!(a.recursive_difference(&b).has(&path), a.has(&path) && !below_b);
            let above_another = a.paths().iter().any(|p| p.len() > path.len() && p.starts_with(&path));
            prop_assert_eq!(a.leaves().has(&path), a.has(&path) && !above_another);
        }
    }

    #[test]
    fn merging_is_idempotent_and_keeps_every_field(a in config(), b in config()) {
        let types = types();
        let (a, b) = (typed(&types, &a), typed(&types, &b));
        let merged = a.merge(&b).unwrap();
        prop_assert_eq!(a.merge(&a).unwrap().into_value(), a.value().clone());
        prop_assert_eq!(merged.merge(&b).unwrap().into_value(), merged.value().clone());
        prop_assert!(a.compare(&merged).unwrap().removed.is_empty());
        let own = b.to_field_set().unwrap();
        let lost = own.difference(&merged.to_field_set().unwrap());
        // An empty map or a null says nothing of a container that holds something.
        for path in lost.paths() {
            prop_assert!(own.leaves().has(&path), "{} lost", path);
        }
    }

    #[test]
    fn what_one_comparison_adds_the_other_removes(a in config(), b in config()) {
        let types = types();
        let (a, b) = (typed(&types, &a), typed(&types, &b));
        let (forth, back) = (a.compare(&b).unwrap(), b.compare(&a).unwrap());
        prop_assert_eq!(&forth.added, &back.removed);
        prop_assert_eq!(&forth.removed, &back.added);
        prop_assert_eq!(&forth.modified, &back.modified);
        prop_assert!(forth.added.intersection(&forth.removed).is_empty());
        prop_assert!(a.compare(&a.clone()).unwrap().is_same());
    }

    #[test]
    fn what_is_extracted_and_what_is_removed_make_the_whole(a in config(), b in config()) {
        let types = types();
        let (a, b) = (typed(&types, &a), typed(&types, &b));
        let set = a.to_field_set().unwrap().intersection(&b.to_field_set().unwrap()).leaves();
        let extracted = a.extract_items(&set, KeyFields::Append);
        let has = extracted.to_field_set().unwrap();
        prop_assert!(set.difference(&has).is_empty(), "{} of {}", set, has);
        let left = a.remove_items(&set).to_field_set().unwrap();
        // Where all is gone a null is left, which has the path of the container.
        let kept = left.intersection(&set);
        prop_assert!(kept.is_empty(), "{} kept", kept);
    }

    #[test]
    fn what_is_decided_early_is_what_merging_comes_to(
        first in config(), second in config(), third in config(), left_out in 0..3_usize,
    ) {
        let types = types();
        // The same in another order, and less of it.
        let mut turned = first.clone();
        for list in ["items", "set"] {
            if let Some(items) = turned.get_mut(list).and_then(Value::as_array_mut) {
                items.reverse();
                items.truncate(left_out);
            }
        }
        let (live, managers) = apply(&typed(&types, &json!({})), &typed(&types, &first), &ManagedFields::new(), "a");
        let (live, managers) = apply(&live, &typed(&types, &second), &managers, "b");
        for config in [&first, &second, &third, &turned] {
            let config = typed(&types, config);
            for manager in ["a", "b", "c"] {
                let early = Updater::new(Same(vec![]));
                let (object, after) =
                    early.apply(&live, &config, &"v1".into(), managers.clone(), manager, true).unwrap();
                let (whole, merged) = apply(&live, &config, &managers, manager);
                prop_assert_eq!(&after, &merged);
                prop_assert_eq!(object.is_none(), value::equals(whole.value(), live.value()), "{}", live.value());
                prop_assert_eq!(&after[manager].set, &config.to_field_set().unwrap());
            }
        }
    }

    #[test]
    fn applying_the_same_again_changes_nothing(configs in vec(config(), 1..4)) {
        let types = types();
        let mut live = typed(&types, &Value::Null);
        let mut managers = ManagedFields::new();
        for (i, config) in configs.iter().enumerate() {
            (live, managers) = apply(&live, &typed(&types, config), &managers, &format!("m{}", i % 2));
        }
        let last = format!("m{}", (configs.len() - 1) % 2);
        let config = typed(&types, configs.last().unwrap());
        let (again, owners) = apply(&live, &config, &managers, &last);
        // Removing all that a container held leaves null, which an empty container in the configuration fills.
        prop_assert_eq!(without_empty(again.value()), without_empty(live.value()));
        let (third, same_owners) = apply(&again, &config, &owners, &last);
        prop_assert_eq!(third.value(), again.value());
        prop_assert_eq!(same_owners, owners);
    }

    #[test]
    fn ownership_does_not_depend_on_the_order_of_appliers_who_agree(whole in config(), parts in vec(config(), 3)) {
        // Each applier says part of one object, so that no two disagree.
        let types = types();
        let whole = typed(&types, &whole);
        let all = whole.to_field_set().unwrap();
        let configs: Vec<TypedValue> = parts
            .iter()
            .map(|part| {
                let part = typed(&types, part).to_field_set().unwrap();
                whole.extract_items(&all.intersection(&part).leaves(), KeyFields::Append)
            })
            .collect();
        let run = |order: [usize; 3]| {
            let mut live = typed(&types, &Value::Null);
            let mut managers = ManagedFields::new();
            for i in order {
                (live, managers) = apply(&live, &configs[i], &managers, &format!("m{i}"));
            }
            (live.to_field_set().unwrap(), managers)
        };
        let expected = run([0, 1, 2]);
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            prop_assert_eq!(&run(order), &expected, "order {:?}", order);
        }
    }

    #[test]
    fn nothing_an_applier_owns_is_lost_when_others_apply_less(
        first in vec(config(), 3),
        then in vec((0..3_usize, config()), 0..4),
    ) {
        let types = types();
        let mut live = typed(&types, &Value::Null);
        let mut managers = ManagedFields::new();
        let mut said: BTreeMap<usize, Value> = BTreeMap::new();
        for (i, config) in first.into_iter().enumerate().chain(then) {
            (live, managers) = apply(&live, &typed(&types, &config), &managers, &format!("m{i}"));
            said.insert(i, config);
            let fields = live.to_field_set().unwrap();
            for (manager, versioned) in &managers {
                let owned = versioned.set.leaves();
                let lost = owned.difference(&fields);
                for path in lost.paths() {
                    // Empty containers of one applier are filled by another.
                    let filled = fields.paths().iter().any(|p| p.len() > path.len() && p.starts_with(&path));
                    prop_assert!(filled, "{} of {} lost from {}", path, manager, live.value());
                }
            }
            // What is there is there because someone said so.
            let mut owned = Set::new();
            for versioned in managers.values() {
                owned = owned.union(&versioned.set);
            }
            let nobodys = fields.leaves().difference(&owned);
            for path in nobodys.paths() {
                let under_owner = (1..path.len()).any(|n| owned.has(&path[..n]));
                let above_owner = owned.paths().iter().any(|p| p.len() > path.len() && p.starts_with(&path));
                prop_assert!(under_owner || above_owner || said_somewhere(&said, &path), "{} is nobody's", path);
            }
        }
    }
}

/// The value without the entries that are null or empty.
fn without_empty(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), without_empty(value)))
                .filter(|(_, value)| !matches!(value, Value::Null) && *value != json!({}) && *value != json!([]))
                .collect(),
        ),
        Value::Array(items) => items.iter().map(without_empty).collect(),
        scalar => scalar.clone(),
    }
}

/// Whether some applier's last configuration has the path's first step.
fn said_somewhere(said: &BTreeMap<usize, Value>, path: &[PathElement]) -> bool {
    let Some(PathElement::Field(first)) = path.first() else { return false };
    said.values().filter_map(Value::as_object).any(|config: &Map<String, Value>| config.contains_key(&**first))
}

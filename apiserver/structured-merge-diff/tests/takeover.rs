//! Laws of taking and giving back: force, removal, updates, lists with composite and defaulted keys, and duplicates.

#![allow(clippy::unwrap_used)]

mod fixture;

use std::collections::BTreeMap;

use fixture::{Same, Types};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use structured_merge_diff::fieldpath::Set;
use structured_merge_diff::merge::Error;
use structured_merge_diff::typed::Duplicates;
use structured_merge_diff::{ManagedFields, TypedValue, Updater};

const TYPES: &str = "
types:
- name: root
  map:
    fields:
    - {name: kind, type: {scalar: string}}
    - {name: size, type: {scalar: numeric}}
    - {name: set, type: {list: {elementType: {scalar: string}, elementRelationship: associative}}}
    - {name: ports, type: {list: {elementType: {namedType: port}, elementRelationship: associative, keys: [port, protocol]}}}
    - {name: map, type: {map: {elementType: {scalar: string}}}}
    - {name: list, type: {list: {elementType: {scalar: string}, elementRelationship: atomic}}}
- name: port
  map:
    fields:
    - {name: port, type: {scalar: numeric}}
    - {name: protocol, type: {scalar: string}, default: TCP}
    - {name: name, type: {scalar: string}}
";

/// The protocol as it is written: the default may be left out.
fn protocol() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![Just(None), Just(Some("TCP")), Just(Some("UDP"))]
}

fn key_of(port: &Value) -> (i64, String) {
    (port["port"].as_i64().unwrap(), port["protocol"].as_str().unwrap_or("TCP").to_owned())
}

fn port() -> impl Strategy<Value = Value> {
    (1..4_i64, protocol(), option::of("[ab]")).prop_map(|(port, protocol, name)| {
        let mut item = json!({ "port": port });
        if let Some(protocol) = protocol {
            item["protocol"] = protocol.into();
        }
        if let Some(name) = name {
            item["name"] = name.into();
        }
        item
    })
}

/// Each key once.
fn ports() -> impl Strategy<Value = Value> {
    vec(port(), 0..4).prop_map(|ports| {
        let by_key: BTreeMap<_, _> = ports.into_iter().map(|port| (key_of(&port), port)).collect();
        by_key.into_values().collect()
    })
}

/// An object that a client may apply: it always says what kind it is.
fn config() -> impl Strategy<Value = Value> {
    let letters = || btree_set("[a-c]", 0..3).prop_map(|set| json!(set));
    (
        option::of((0..3_i64).prop_map(Value::from)),
        option::of(letters()),
        option::of(ports()),
        option::of(btree_map("[a-c]", "[ab]", 0..3).prop_map(|map| json!(map))),
        option::of(letters()),
    )
        .prop_map(|(size, set, ports, map, list)| {
            let fields = [("size", size), ("set", set), ("ports", ports), ("map", map), ("list", list)];
            let given = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
            std::iter::once(("kind".to_owned(), json!("root"))).chain(given).collect()
        })
}

fn types() -> Types {
    Types::one(TYPES, "root")
}

fn typed(types: &Types, value: &Value) -> TypedValue {
    types.typed(value.clone(), "v1", Duplicates::Reject).unwrap_or_else(|err| panic!("{value}: {err}"))
}

fn apply(
    live: &TypedValue,
    config: &TypedValue,
    managers: &ManagedFields,
    manager: &str,
    force: bool,
) -> Result<(TypedValue, ManagedFields), Error> {
    let updater = Updater::new(Same(vec![])).with_return_input_on_noop(true);
    let (object, managers) = updater.apply(live, config, &"v1".into(), managers.clone(), manager, force)?;
    Ok((object.unwrap(), managers))
}

fn set_of(managers: &ManagedFields, manager: &str) -> Set {
    managers.get(manager).map_or_else(Set::new, |versioned| versioned.set.clone())
}

/// The value without the entries that are null or empty: removing all that a container held leaves null.
fn without_empty(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), without_empty(value)))
            .filter(|(_, value)| !value.is_null() && *value != json!({}) && *value != json!([]))
            .collect(),
        Value::Array(items) => items.iter().map(without_empty).collect(),
        scalar => scalar.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn force_takes_exactly_what_conflicts(first in config(), second in config()) {
        let types = types();
        let (first, second) = (typed(&types, &first), typed(&types, &second));
        let nothing = typed(&types, &Value::Null);
        let (live, managers) = apply(&nothing, &first, &ManagedFields::new(), "first", false).unwrap();
        let before = set_of(&managers, "first");
        let conflicts = match apply(&live, &second, &managers, "second", false) {
            Err(Error::Conflicts(conflicts)) => conflicts.to_set(),
            outcome => {
                let (_, managers) = outcome.unwrap();
                prop_assert_eq!(set_of(&managers, "first"), before.clone(), "nothing conflicts, nothing is taken");
                Set::new()
            }
        };
        let (_, managers) = apply(&live, &second, &managers, "second", true).unwrap();
        let (after, taken) = (set_of(&managers, "first"), set_of(&managers, "second"));
        prop_assert_eq!(before.difference(&after), conflicts.clone());
        prop_assert!(conflicts.difference(&taken).is_empty(), "{} taken, {} in conflict", taken, conflicts);
        prop_assert_eq!(taken, second.to_field_set().unwrap());
    }

    #[test]
    fn conflicts_are_where_another_value_is_wanted(first in config(), second in config()) {
        let types = types();
        let (first, second) = (typed(&types, &first), typed(&types, &second));
        let nothing = typed(&types, &Value::Null);
        let (live, managers) = apply(&nothing, &first, &ManagedFields::new(), "first", false).unwrap();
        let merged = live.merge(&second).unwrap();
        let differs = live.compare(&merged).unwrap();
        let wanted = set_of(&managers, "first").intersection(&differs.modified.union(&differs.added));
        match apply(&live, &second, &managers, "second", false) {
            Err(Error::Conflicts(conflicts)) => prop_assert_eq!(conflicts.to_set(), wanted),
            outcome => {
                outcome.unwrap();
                prop_assert!(wanted.is_empty(), "{} should conflict", wanted);
            }
        }
    }

    #[test]
    fn applying_and_taking_back_restores(first in config(), second in config()) {
        let types = types();
        let (first, second) = (typed(&types, &first), typed(&types, &second));
        let nothing = typed(&types, &Value::Null);
        let (live, managers) = apply(&nothing, &first, &ManagedFields::new(), "first", false).unwrap();
        let Ok((both, owners)) = apply(&live, &second, &managers, "second", false) else { return Ok(()) };
        let (back, owners) = apply(&both, &typed(&types, &json!({"kind": "root"})), &owners, "second", false).unwrap();
        prop_assert_eq!(without_empty(back.value()), without_empty(live.value()));
        prop_assert_eq!(set_of(&owners, "first"), set_of(&managers, "first"));
    }

    #[test]
    fn an_update_owns_what_it_changes_and_nobody_what_it_removes(applied in config(), updated in config()) {
        let types = types();
        let (applied, updated) = (typed(&types, &applied), typed(&types, &updated));
        let nothing = typed(&types, &Value::Null);
        let (live, managers) = apply(&nothing, &applied, &ManagedFields::new(), "applier", false).unwrap();
        let before = set_of(&managers, "applier");
        let updater = Updater::new(Same(vec![]));
        let managers = updater.update(&live, &updated, &"v1".into(), managers, "updater").unwrap();
        let comparison = live.compare(&updated).unwrap();
        let changed = comparison.modified.union(&comparison.added);
        let (applier, owner) = (set_of(&managers, "applier"), set_of(&managers, "updater"));
        prop_assert!(changed.difference(&owner).is_empty(), "{} changed, {} owned", changed, owner);
        prop_assert!(owner.difference(&changed).is_empty(), "{} owned, {} changed", owner, changed);
        let kept = before.difference(&changed).difference(&comparison.removed);
        prop_assert!(applier.difference(&kept).is_empty(), "{} of {}", applier, kept);
        for versioned in managers.values() {
            prop_assert!(versioned.set.intersection(&comparison.removed).is_empty(), "{} is gone", comparison.removed);
        }
    }

    #[test]
    fn a_key_s_default_names_the_same_item_as_its_value(applied in vec(ports(), 1..4)) {
        let types = types();
        let mut live = typed(&types, &Value::Null);
        let mut managers = ManagedFields::new();
        for (i, ports) in applied.iter().enumerate() {
            let config = typed(&types, &json!({"kind": "root", "ports": ports}));
            (live, managers) = apply(&live, &config, &managers, &format!("m{i}"), true).unwrap();
        }
        let has = live.value()["ports"].as_array().cloned().unwrap_or_default();
        let wanted: std::collections::BTreeSet<_> =
            applied.iter().flat_map(|ports| ports.as_array().unwrap()).map(key_of).collect();
        let keys: Vec<_> = has.iter().map(key_of).collect();
        prop_assert_eq!(keys.len(), wanted.len(), "{}", live.value());
        prop_assert_eq!(keys.into_iter().collect::<std::collections::BTreeSet<_>>(), wanted);
        // The last to say something of an item is who is heard.
        for port in applied.last().unwrap().as_array().unwrap() {
            let item = has.iter().find(|item| key_of(item) == key_of(port)).unwrap();
            prop_assert!(port["name"].is_null() || item["name"] == port["name"], "{} of {}", item, port);
        }
    }

    #[test]
    fn duplicates_that_are_stored_stay_until_somebody_names_them(
        stored in vec(port(), 0..5), set in vec("[a-c]", 0..5), ports in ports(), wanted in btree_set("[a-c]", 0..3),
    ) {
        let types = types();
        let live = json!({"kind": "root", "ports": stored, "set": set});
        let live = types.typed(live, "v1", Duplicates::Allow).unwrap();
        let config = typed(&types, &json!({"kind": "root", "ports": ports, "set": wanted}));
        let (merged, _) = apply(&live, &config, &ManagedFields::new(), "m", true).unwrap();
        let count = |value: &Value, key: &(i64, String)| {
            value["ports"].as_array().into_iter().flatten().filter(|port| key_of(port) == *key).count()
        };
        let named: Vec<_> = ports.as_array().unwrap().iter().map(key_of).collect();
        for key in stored.iter().map(key_of) {
            let expected = if named.contains(&key) { 1 } else { count(live.value(), &key) };
            prop_assert_eq!(count(merged.value(), &key), expected, "{:?} in {}", key, merged.value());
        }
        let times = |value: &Value, item: &str| {
            value["set"].as_array().into_iter().flatten().filter(|of| *of == item).count()
        };
        for item in &set {
            let expected = if wanted.contains(item) { 1 } else { times(live.value(), item) };
            prop_assert_eq!(times(merged.value(), item), expected, "{} in {}", item, merged.value());
        }
    }
}

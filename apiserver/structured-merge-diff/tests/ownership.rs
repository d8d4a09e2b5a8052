//! Who owns what after updates and applies, within one version.

mod fixture;

use fixture::Write::{Apply, Conflict, Extract, Force, Update};
use fixture::{Case, Same, Types, World, yaml};
use structured_merge_diff::typed::Duplicates;
use structured_merge_diff::{Filter, ManagedFields, Path, Set, Updater, VersionedSet};

const TYPES: &str = "
types:
- name: root
  map:
    fields:
    - {name: size, type: {scalar: numeric}}
    - {name: text, type: {scalar: string}}
    - {name: set, type: {list: {elementType: {scalar: string}, elementRelationship: associative}}}
    - {name: items, type: {list: {elementType: {namedType: item}, elementRelationship: associative, keys: [name]}}}
    - {name: ports, type: {list: {elementType: {namedType: port}, elementRelationship: associative, keys: [port, protocol]}}}
    - {name: map, type: {map: {elementType: {scalar: string}}}}
    - {name: maps, type: {map: {elementType: {map: {elementType: {scalar: string}}}}}}
    - {name: record, type: {namedType: record}}
    - {name: whole, type: {namedType: record, elementRelationship: atomic}}
    - {name: atoms, type: {list: {elementType: {scalar: string}, elementRelationship: atomic}}}
- name: record
  map:
    fields:
    - {name: a, type: {scalar: numeric}}
    - {name: b, type: {scalar: string}}
- name: item
  map:
    fields:
    - {name: name, type: {scalar: string}}
    - {name: value, type: {scalar: numeric}}
    - {name: set, type: {list: {elementType: {scalar: string}, elementRelationship: associative}}}
- name: port
  map:
    fields:
    - {name: port, type: {scalar: numeric}}
    - {name: protocol, type: {scalar: string}, default: TCP}
    - {name: name, type: {scalar: string}}
";

fn check(cases: &[Case]) {
    let types = Types::one(TYPES, "root");
    for case in cases {
        case.check(&types, || Same(vec![]));
    }
}

#[test]
fn an_update_owns_what_it_changes() {
    check(&[
        Case {
            name: "all that a create sets",
            writes: &[Update("c", "v1", "{size: 1, set: [a], map: {x: k}, whole: {a: 1}}")],
            live: "{size: 1, set: [a], map: {x: k}, whole: {a: 1}}",
            owners: &[r#"c v1: .map .map.x .set .set[="a"] .size .whole"#],
        },
        Case {
            name: "what it changes, and no longer its former owner",
            writes: &[
                Update("one", "v1", "{size: 1, text: a, map: {x: k}}"),
                Update("two", "v1", "{size: 2, text: a, map: {x: k, z: w}}"),
            ],
            live: "{size: 2, text: a, map: {x: k, z: w}}",
            owners: &["one v1: .map .map.x .text", "two v1: .map.z .size"],
        },
        Case {
            name: "nothing that it removes, nor does anyone",
            writes: &[Update("one", "v1", "{size: 1, text: a}"), Update("two", "v1", "{text: a}")],
            live: "{text: a}",
            owners: &["one v1: .text"],
        },
        Case {
            name: "a manager who owns nothing any more is dropped",
            writes: &[Update("one", "v1", "{size: 1}"), Update("two", "v1", "{size: 2}")],
            live: "{size: 2}",
            owners: &["two v1: .size"],
        },
        Case {
            name: "an update that changes nothing owns nothing",
            writes: &[Update("one", "v1", "{size: 1}"), Update("two", "v1", "{size: 1}")],
            live: "{size: 1}",
            owners: &["one v1: .size"],
        },
        Case {
            name: "what an applier owns can be taken by an update",
            writes: &[Apply("a", "v1", "{size: 1, text: a}"), Update("c", "v1", "{size: 2, text: a}")],
            live: "{size: 2, text: a}",
            owners: &["a v1: .text", "c v1: .size"],
        },
        Case {
            name: "moving items is no change",
            writes: &[Apply("a", "v1", "{set: [x, k]}"), Update("c", "v1", "{set: [k, x]}")],
            live: "{set: [k, x]}",
            owners: &[r#"a v1: .set[="k"] .set[="x"]"#],
        },
    ]);
}

#[test]
fn an_apply_owns_what_it_says() {
    check(&[
        Case {
            name: "shared where the values agree",
            writes: &[Apply("one", "v1", "{size: 1, set: [a, b]}"), Apply("two", "v1", "{size: 1, set: [b, c]}")],
            live: "{size: 1, set: [a, b, c]}",
            owners: &[r#"one v1: .set[="a"] .set[="b"] .size"#, r#"two v1: .set[="b"] .set[="c"] .size"#],
        },
        Case {
            name: "the same again changes nothing",
            writes: &[Apply("one", "v1", "{size: 1, map: {x: k}}"), Apply("one", "v1", "{size: 1, map: {x: k}}")],
            live: "{size: 1, map: {x: k}}",
            owners: &["one v1: .map.x .size"],
        },
        Case {
            name: "an empty map and a null are owned",
            writes: &[Apply("one", "v1", "{map: {}, record: null}")],
            live: "{map: {}, record: null}",
            owners: &["one v1: .map .record"],
        },
        Case {
            name: "a key's default names the item",
            writes: &[
                Apply("one", "v1", "{ports: [{port: 80}]}"),
                Apply("two", "v1", "{ports: [{port: 80, protocol: TCP, name: web}, {port: 80, protocol: UDP}]}"),
            ],
            live: "{ports: [{port: 80, protocol: TCP, name: web}, {port: 80, protocol: UDP}]}",
            owners: &[
                r#"one v1: .ports[port=80,protocol="TCP"] .ports[port=80,protocol="TCP"].port"#,
                r#"two v1: .ports[port=80,protocol="TCP"] .ports[port=80,protocol="TCP"].name .ports[port=80,protocol="TCP"].port .ports[port=80,protocol="TCP"].protocol .ports[port=80,protocol="UDP"] .ports[port=80,protocol="UDP"].port .ports[port=80,protocol="UDP"].protocol"#,
            ],
        },
    ]);
}

#[test]
fn an_apply_may_not_change_what_others_own_unless_by_force() {
    check(&[
        Case {
            name: "one conflict",
            writes: &[
                Apply("one", "v1", "{size: 1, text: a}"),
                Conflict("two", "v1", "{size: 2, text: a}", r#"conflict with "one": .size"#),
            ],
            live: "{size: 1, text: a}",
            owners: &["one v1: .size .text"],
        },
        Case {
            name: "several, by manager",
            writes: &[
                Update("c", "v1", "{size: 1, items: [{name: x, value: 1}]}"),
                Apply("a\"b", "v1", "{text: a, whole: {a: 1}}"),
                Conflict(
                    "two",
                    "v1",
                    "{size: 2, text: b, whole: {a: 1, b: x}, items: [{name: x, value: 2}]}",
                    "conflicts with \"a\\\"b\":\n- .text\n- .whole\nconflicts with \"c\":\n- .size\n- .items[name=\"x\"].value",
                ),
            ],
            live: "{size: 1, text: a, whole: {a: 1}, items: [{name: x, value: 1}]}",
            owners: &[
                "a\"b v1: .text .whole",
                r#"c v1: .items .items[name="x"] .items[name="x"].name .items[name="x"].value .size"#,
            ],
        },
        Case {
            name: "force takes",
            writes: &[Apply("one", "v1", "{size: 1, text: a}"), Force("two", "v1", "{size: 2, text: a}")],
            live: "{size: 2, text: a}",
            owners: &["one v1: .text", "two v1: .size .text"],
        },
        Case {
            name: "what nobody owns is free",
            writes: &[
                Apply("one", "v1", "{size: 1}"),
                Apply("one", "v1", "{text: a}"),
                Apply("two", "v1", "{size: 2}"),
            ],
            live: "{size: 2, text: a}",
            owners: &["one v1: .text", "two v1: .size"],
        },
    ]);
}

#[test]
fn what_is_no_longer_applied_is_removed_when_nobody_else_owns_it() {
    check(&[
        Case {
            name: "a field",
            writes: &[Apply("one", "v1", "{size: 1, text: a}"), Apply("one", "v1", "{text: a}")],
            live: "{text: a}",
            owners: &["one v1: .text"],
        },
        Case {
            name: "not one another applier owns",
            writes: &[
                Apply("one", "v1", "{size: 1, text: a}"),
                Apply("two", "v1", "{size: 1}"),
                Apply("one", "v1", "{text: a}"),
            ],
            live: "{size: 1, text: a}",
            owners: &["one v1: .text", "two v1: .size"],
        },
        Case {
            name: "not one an updater owns",
            writes: &[
                Apply("one", "v1", "{set: [a, b]}"),
                Update("c", "v1", "{set: [a, b, c], size: 1}"),
                Apply("one", "v1", "{set: [a]}"),
            ],
            live: "{set: [a, c], size: 1}",
            owners: &[r#"c v1: .set[="c"] .size"#, r#"one v1: .set[="a"]"#],
        },
        Case {
            name: "an item, but not what another owns of it",
            writes: &[
                Apply("one", "v1", "{items: [{name: x, value: 1}, {name: k, value: 1}]}"),
                Apply("two", "v1", "{items: [{name: x, set: [s]}]}"),
                Apply("one", "v1", "{items: [{name: z}]}"),
            ],
            live: "{items: [{name: x, set: [s]}, {name: z}]}",
            owners: &[
                r#"one v1: .items[name="z"] .items[name="z"].name"#,
                r#"two v1: .items[name="x"] .items[name="x"].name .items[name="x"].set[="s"]"#,
            ],
        },
        Case {
            name: "a struct whose last field goes, goes too",
            writes: &[Apply("one", "v1", "{size: 1, record: {a: 1}}"), Apply("one", "v1", "{size: 1}")],
            live: "{size: 1}",
            owners: &["one v1: .size"],
        },
        Case {
            name: "a struct another has a field in stays",
            writes: &[
                Apply("one", "v1", "{record: {a: 1}}"),
                Apply("two", "v1", "{record: {b: x}}"),
                Apply("one", "v1", "{size: 1}"),
            ],
            live: "{size: 1, record: {b: x}}",
            owners: &["one v1: .size", "two v1: .record.b"],
        },
        Case {
            name: "an entry of a map of maps, but not what another applies in it",
            writes: &[
                Apply("one", "v1", "{maps: {a: {x: '1'}, b: {k: '2'}}}"),
                Apply("two", "v1", "{maps: {a: {z: '3'}}}"),
                Apply("one", "v1", "{maps: {b: {k: '2'}}}"),
            ],
            live: "{maps: {a: {z: '3'}, b: {k: '2'}}}",
            owners: &["one v1: .maps.b .maps.b.k", "two v1: .maps.a .maps.a.z"],
        },
        Case {
            // The updater found the entry there, so the entry is not its own.
            name: "an entry of a map of maps, with what an updater put in it",
            writes: &[
                Apply("one", "v1", "{maps: {a: {x: '1'}, b: {k: '2'}}}"),
                Update("c", "v1", "{maps: {a: {x: '1', z: '3'}, b: {k: '2'}}}"),
                Apply("one", "v1", "{maps: {b: {k: '2'}}}"),
            ],
            live: "{maps: {b: {k: '2'}}}",
            owners: &["one v1: .maps.b .maps.b.k"],
        },
        Case {
            name: "an atomic value, as a whole",
            writes: &[
                Apply("one", "v1", "{whole: {a: 1, b: x}, atoms: [p, q]}"),
                Apply("one", "v1", "{whole: {a: 1}, atoms: [q]}"),
            ],
            live: "{whole: {a: 1}, atoms: [q]}",
            owners: &["one v1: .atoms .whole"],
        },
        Case {
            name: "everything, when an empty configuration is applied",
            writes: &[
                Apply("one", "v1", "{size: 1, set: [a]}"),
                Apply("two", "v1", "{set: [b]}"),
                Apply("one", "v1", "{}"),
            ],
            live: "{set: [b]}",
            owners: &[r#"two v1: .set[="b"]"#],
        },
    ]);
}

#[test]
fn duplicates_an_update_brings_are_owned_as_one() {
    check(&[
        Case {
            name: "by the one who brings them",
            writes: &[Apply("one", "v1", "{set: [a, b]}"), Update("c", "v1", "{set: [a, b, b]}")],
            live: "{set: [a, b, b]}",
            owners: &[r#"c v1: .set[="b"]"#, r#"one v1: .set[="a"]"#],
        },
        Case {
            name: "and stay while others are applied",
            writes: &[
                Update("c", "v1", "{items: [{name: x, value: 1}, {name: x, value: 2}]}"),
                Apply("one", "v1", "{items: [{name: k}]}"),
                Apply("one", "v1", "{items: [{name: z}]}"),
            ],
            live: "{items: [{name: x, value: 1}, {name: x, value: 2}, {name: z}]}",
            owners: &[r#"c v1: .items .items[name="x"]"#, r#"one v1: .items[name="z"] .items[name="z"].name"#],
        },
        Case {
            name: "and give way to one that is applied by force",
            writes: &[
                Update("c", "v1", "{items: [{name: x, value: 1}, {name: x, value: 2}]}"),
                Force("one", "v1", "{items: [{name: x, value: 3}]}"),
            ],
            live: "{items: [{name: x, value: 3}]}",
            owners: &["c v1: .items", r#"one v1: .items[name="x"] .items[name="x"].name .items[name="x"].value"#],
        },
    ]);
}

#[test]
fn what_was_extracted_can_be_added_to() {
    check(&[Case {
        name: "nothing applied before is given up",
        writes: &[
            Apply("one", "v1", "{size: 1, items: [{name: x, value: 1}], map: {a: b}}"),
            Apply("two", "v1", "{text: t, items: [{name: k}]}"),
            Extract("one", "v1", "{items: [{name: z}], map: {c: d}}"),
        ],
        live: "{size: 1, text: t, items: [{name: x, value: 1}, {name: k}, {name: z}], map: {a: b, c: d}}",
        owners: &[
            r#"one v1: .items[name="x"] .items[name="x"].name .items[name="x"].value .items[name="z"] .items[name="z"].name .map.a .map.c .size"#,
            r#"two v1: .items[name="k"] .items[name="k"].name .text"#,
        ],
    }]);
}

#[test]
fn objects_without_a_schema_merge_map_by_map() {
    let types = Types::deduced();
    for case in [
        Case {
            name: "lists are one value",
            writes: &[
                Apply("one", "v1", "{a: {b: 1}, list: [1, 2]}"),
                Apply("two", "v1", "{a: {c: 1}}"),
                Conflict("two", "v1", "{a: {c: 1}, list: [1]}", r#"conflict with "one": .list"#),
                Apply("one", "v1", "{list: [1, 2]}"),
            ],
            live: "{a: {c: 1}, list: [1, 2]}",
            owners: &["one v1: .list", "two v1: .a .a.c"],
        },
        Case {
            name: "a field may take another form",
            writes: &[Apply("one", "v1", "{a: {b: 1}}"), Apply("one", "v1", "{a: [x]}")],
            live: "{a: [x]}",
            owners: &["one v1: .a"],
        },
    ] {
        case.check(&types, || Same(vec![]));
    }
}

#[test]
fn an_apply_that_changes_nothing_returns_no_object() {
    let types = Types::one(TYPES, "root");
    let mut world = World::new(types.clone(), Same(vec![]));
    world.write(&Same(vec![]), &Apply("one", "v1", "{size: 1}")).unwrap();
    let live = world.live.clone().unwrap();
    let config = types.typed(yaml("{size: 1}"), "v1", Duplicates::Reject).unwrap();
    let apply = |updater: &Updater<Same>| {
        updater.apply(&live, &config, &"v1".into(), world.managers.clone(), "two", false).unwrap()
    };
    let (object, managers) = apply(&world.updater);
    assert!(object.is_none());
    assert!(managers.contains_key("two"), "the applier owns what it applied all the same");
    let returning = Updater::new(Same(vec![])).with_return_input_on_noop(true);
    assert_eq!(apply(&returning).0.unwrap().value(), live.value());
}

#[test]
fn ignored_fields_are_nobodys() {
    let status: Path = ["record"].into_iter().collect();
    let ignore = || [("v1".into(), Filter::Exclude(Set::from_iter([&status])))].into();
    let mut world = World::new(Types::one(TYPES, "root"), Same(vec![])).ignoring(ignore());
    for write in [
        Update("c", "v1", "{size: 1, record: {a: 1}}"),
        Apply("one", "v1", "{size: 1, record: {a: 2}}"),
        Apply("one", "v1", "{text: x, record: {a: 3, b: x}}"),
    ] {
        world.write(&Same(vec![]), &write).unwrap();
    }
    assert_eq!(world.owners(), ["c v1: .size", "one v1: .text"]);

    // Also what was applied before they were ignored.
    let mut world = World::new(Types::one(TYPES, "root"), Same(vec![]));
    let apply = || Apply("one", "v1", "{text: x, record: {a: 1}}");
    world.write(&Same(vec![]), &apply()).unwrap();
    assert_eq!(world.owners(), ["one v1: .record.a .text"]);
    let mut world = world.ignoring(ignore());
    world.write(&Same(vec![]), &apply()).unwrap();
    assert_eq!(world.owners(), ["one v1: .text"]);
}

#[test]
fn sets_written_before_a_type_became_atomic_own_it_whole() {
    let old = "types: [{name: root, map: {fields: [{name: map, type: {map: {elementType: {scalar: string}}}}]}}]";
    let new = "types: [{name: root, map: {fields: [{name: map, type: {map: {elementType: {scalar: string}, elementRelationship: atomic}}}]}}]";
    let mut world = World::new(Types::one(old, "root"), Same(vec![]));
    world.write(&Same(vec![]), &Apply("one", "v1", "{map: {a: x}}")).unwrap();
    world.write(&Same(vec![]), &Apply("two", "v1", "{map: {b: k}}")).unwrap();
    world.types = Types::one(new, "root");
    let live = world.live.take().unwrap().into_value();
    world.live = Some(world.types.typed(live, "v1", Duplicates::Allow).unwrap());
    let conflict = Conflict("one", "v1", "{map: {a: z}}", r#"conflict with "two": .map"#);
    world.write(&Same(vec![]), &conflict).unwrap();
    world.write(&Same(vec![]), &Force("one", "v1", "{map: {a: z}}")).unwrap();
    assert_eq!(world.live.as_ref().unwrap().value(), &yaml("{map: {a: z}}"));
    assert_eq!(world.owners(), ["one v1: .map"]);
}

#[test]
fn a_version_that_is_gone_takes_its_owners_along() {
    let types = Types::one(TYPES, "root");
    let both = || Same(vec!["v1", "v2"]);
    let mut world = World::new(types.clone(), both());
    world.write(&both(), &Update("old", "v1", "{size: 1}")).unwrap();
    world.write(&both(), &Update("new", "v2", "{size: 1, text: a}")).unwrap();
    let later = || Same(vec!["v2"]);
    let mut world = world.with_converter(later());
    world.write(&later(), &Update("newer", "v2", "{size: 1, text: a, set: [x]}")).unwrap();
    assert_eq!(world.owners(), ["new v2: .text", r#"newer v2: .set .set[="x"]"#]);
}

#[test]
fn what_was_applied_in_a_version_that_is_gone_stays() {
    let first = || Same(vec!["v1"]);
    let mut world = World::new(Types::one(TYPES, "root"), first());
    world.write(&first(), &Apply("one", "v1", "{set: [a, b]}")).unwrap();
    let later = || Same(vec!["v2"]);
    let mut world = world.with_converter(later());
    world.write(&later(), &Apply("one", "v2", "{set: [a]}")).unwrap();
    assert_eq!(world.live.as_ref().unwrap().value(), &yaml("{set: [a, b]}"));
    assert_eq!(world.owners(), [r#"one v2: .set[="a"]"#]);
}

#[test]
fn managed_fields_compare_by_what_they_own() {
    let set: Set = [["a"].into_iter().collect::<Path>()].into_iter().collect();
    let one = ManagedFields::from_iter([("m", VersionedSet::new(set.clone(), "v1", true))]);
    let other = ManagedFields::from_iter([("m", VersionedSet::new(set, "v1", false))]);
    assert_ne!(one, other);
    assert!(one.difference(&other).is_empty());
}

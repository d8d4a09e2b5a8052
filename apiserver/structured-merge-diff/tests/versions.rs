//! Who owns what when managers write in different versions.

#![allow(clippy::unwrap_used)]

mod fixture;

use std::sync::LazyLock;

use fixture::Write::{Apply, Conflict, Force, Update};
use fixture::{Case, Renaming, Types, World};
use structured_merge_diff::merge::ConvertError;
use structured_merge_diff::typed::Duplicates;
use structured_merge_diff::{ApiVersion, Converter, TypedValue, Updater};

/// The same type in two versions, in which one field and one struct are called after the version.
fn types() -> Types {
    // Values combine only when they share a schema.
    static TYPES: LazyLock<Types> = LazyLock::new(|| {
        Types::by_version(
            "
types:
- name: v1
  map:
    fields:
    - {name: common, type: {scalar: string}}
    - {name: size_v1, type: {scalar: numeric}}
    - {name: record_v1, type: {namedType: record}}
- name: v2
  map:
    fields:
    - {name: common, type: {scalar: string}}
    - {name: size_v2, type: {scalar: numeric}}
    - {name: record_v2, type: {namedType: record}}
- name: record
  map:
    fields:
    - {name: a, type: {scalar: string}}
    - {name: b, type: {scalar: string}}
",
        )
    });
    TYPES.clone()
}

#[test]
fn ownership_follows_fields_into_other_versions() {
    for case in [
        Case {
            name: "what one version changes, an owner in another loses",
            writes: &[Apply("one", "v1", "{size_v1: 1, common: x}"), Update("c", "v2", "{size_v2: 2, common: x}")],
            live: "{size_v2: 2, common: x}",
            owners: &["c v2: .size_v2", "one v1: .common"],
        },
        Case {
            name: "conflicts are told in the owner's version",
            writes: &[
                Apply("one", "v1", "{size_v1: 1}"),
                Conflict("two", "v2", "{size_v2: 2}", r#"conflict with "one": .size_v1"#),
            ],
            live: "{size_v1: 1}",
            owners: &["one v1: .size_v1"],
        },
        Case {
            name: "what is applied in another version than before is still removed",
            writes: &[Apply("one", "v1", "{size_v1: 1, common: x}"), Apply("one", "v2", "{common: x}")],
            live: "{common: x}",
            owners: &["one v2: .common"],
        },
        Case {
            name: "but not what someone owns in yet another version",
            writes: &[
                Apply("one", "v1", "{size_v1: 1, record_v1: {a: x, b: k}}"),
                Apply("two", "v2", "{record_v2: {b: k}}"),
                Apply("one", "v1", "{size_v1: 1}"),
            ],
            live: "{size_v1: 1, record_v1: {b: k}}",
            owners: &["one v1: .size_v1", "two v2: .record_v2.b"],
        },
        Case {
            name: "force takes across versions",
            writes: &[Apply("one", "v1", "{size_v1: 1, common: x}"), Force("two", "v2", "{size_v2: 2}")],
            live: "{size_v2: 2, common: x}",
            owners: &["one v1: .common", "two v2: .size_v2"],
        },
    ] {
        case.check(&types(), || Renaming(types()));
    }
}

/// Converts from v2 to v1 only what has a size.
struct Demanding(Renaming);

impl Converter for Demanding {
    fn convert(&self, object: &TypedValue, version: &ApiVersion) -> Result<TypedValue, ConvertError> {
        if object.type_ref().name() == Some("v2") && version.as_str() == "v1" && object.value().get("size_v2").is_none()
        {
            return Err(ConvertError::Failed("size is required".into()));
        }
        self.0.convert(object, version)
    }
}

#[test]
fn what_a_conversion_needs_is_put_back_before_it_is_done() {
    let converter = || Demanding(Renaming(types()));
    let mut world = World::new(types(), converter());
    for write in
        [Apply("two", "v2", "{size_v2: 1}"), Apply("one", "v1", "{common: x}"), Apply("two", "v2", "{size_v2: 2}")]
    {
        world.write(&converter(), &write).unwrap();
    }
    assert_eq!(world.owners(), ["one v1: .common", "two v2: .size_v2"]);
}

#[test]
fn a_conversion_that_fails_is_told_in_upstreams_words() {
    let converter = || Demanding(Renaming(types()));
    let live = types().typed(fixture::yaml("{common: x}"), "v2", Duplicates::Allow).unwrap();
    let new = types().typed(fixture::yaml("{common: k}"), "v2", Duplicates::Allow).unwrap();
    let updater = Updater::new(converter());
    let mut world = World::new(types(), converter());
    world.write(&converter(), &Apply("one", "v1", "{common: x}")).unwrap();
    let err = updater.update(&live, &new, &"v2".into(), world.managers.clone(), "c").unwrap_err();
    assert_eq!(err.to_string(), "size is required");
    let sized = types().typed(fixture::yaml("{common: x, size_v2: 1}"), "v2", Duplicates::Allow).unwrap();
    let err = updater.update(&sized, &new, &"v2".into(), world.managers, "c").unwrap_err();
    assert_eq!(err.to_string(), "failed to convert new object: size is required");
}

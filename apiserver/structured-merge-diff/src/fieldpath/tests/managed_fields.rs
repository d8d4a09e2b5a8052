use serde_json::json;

use super::set;
use crate::fieldpath::{ManagedFields, VersionedSet};

#[test]
fn the_difference_is_symmetric_but_for_versions() {
    let versioned = |paths, version: &str| VersionedSet::new(set(paths), version, false);
    let left = ManagedFields::from_iter([
        ("same", versioned(json!([["a"]]), "v1")),
        ("left", versioned(json!([["a"]]), "v1")),
        ("left-empty", versioned(json!([]), "v1")),
        ("fields", versioned(json!([["a"], ["b"]]), "v1")),
        ("version", versioned(json!([["a"]]), "v1")),
    ]);
    let right = ManagedFields::from_iter([
        ("same", versioned(json!([["a"]]), "v1")),
        ("right", versioned(json!([["z"]]), "v1")),
        ("fields", versioned(json!([["b"], ["c"]]), "v1")),
        ("version", versioned(json!([["b"]]), "v2")),
    ]);
    let expected = ManagedFields::from_iter([
        ("left", versioned(json!([["a"]]), "v1")),
        ("right", versioned(json!([["z"]]), "v1")),
        ("fields", versioned(json!([["a"], ["c"]]), "v1")),
        ("version", versioned(json!([["b"]]), "v2")),
    ]);
    assert_eq!(left.difference(&right), expected);
}

//! Server-side apply, and the sets of fields that it keeps.

use serde_json::Value;
use structured_merge_diff::merge::ConvertError;
use structured_merge_diff::typed::Duplicates as Repeated;
use structured_merge_diff::{ApiVersion, Converter, ManagedFields, Set, TypedValue, Updater, VersionedSet};

use crate::{kind, parts, value};

/// There is but one version.
struct Same;

impl Converter for Same {
    fn convert(&self, object: &TypedValue, _: &ApiVersion) -> Result<TypedValue, ConvertError> {
        Ok(object.clone())
    }
}

/// Server-side apply of Deployments: a live object, what is applied, and what another manager owns. What is applied once
/// is nothing the second time, and the manager owns what it applied.
pub fn apply(data: &[u8]) {
    let Some([live, config, owned]) = parts(data) else { return };
    let (Some(live), Some(config)) = (value(live), value(config)) else { return };
    let types = kind("Deployment").merge_type();
    let typed = |value: Value, repeated| TypedValue::new(value, &types.schema, &types.type_ref, repeated);
    let (Ok(live), Ok(config)) = (typed(live, Repeated::Allow), typed(config, Repeated::Reject)) else { return };
    let version = ApiVersion::from("apps/v1");
    let mut managers = ManagedFields::new();
    if let Ok(set) = Set::from_json(owned) {
        managers.insert("other".into(), VersionedSet::new(set, "apps/v1", false));
    }
    let updater = Updater::new(Same).with_return_input_on_noop(true);
    let _ = updater.apply(&live, &config, &version, managers.clone(), "me", false);
    let Ok((Some(once), owners)) = updater.apply(&live, &config, &version, managers, "me", true) else { return };
    let (again, owners_again) = updater
        .apply(&once, &config, &version, owners.clone(), "me", false)
        .unwrap_or_else(|error| panic!("applied again: {error}"));
    assert_eq!(again.map(|of| of.value().clone()), Some(once.value().clone()));
    assert_eq!(owners_again, owners);
}

/// FieldsV1: what is printed is read as the same set; the algebra of sets holds.
pub fn managed_fields(data: &[u8]) {
    let Some([a, b]) = parts(data) else { return };
    let (Ok(a), Ok(b)) = (Set::from_json(a), Set::from_json(b)) else { return };
    let printed = a.to_json().unwrap();
    assert_eq!(Set::from_json(&printed).unwrap(), a, "{}", String::from_utf8_lossy(&printed));
    assert_eq!(a.union(&b), b.union(&a));
    assert_eq!(a.intersection(&b), b.intersection(&a));
    assert_eq!(a.difference(&b).intersection(&b), Set::new());
    assert_eq!(a.difference(&b).union(&a.intersection(&b)), a);
}

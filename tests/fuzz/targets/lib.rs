//! What holds for every input. A target is one function: bytes in, a panic if a promise is broken.

use apimachinery::json::{self, Duplicates};
use apimachinery::patch::{json as json_patch, merge, strategic};
use apimachinery::quantity::Quantity;
use apimachinery::selector::{fields, labels};
use apimachinery::yaml as yaml_text;
use schema::Schema;
use serde_json::{Map, Value};
use structured_merge_diff::merge::ConvertError;
use structured_merge_diff::typed::Duplicates as Repeated;
use structured_merge_diff::{ApiVersion, Converter, ManagedFields, Set, TypedValue, Updater, VersionedSet};

/// The parts of an input that holds several, separated by a zero byte, which no JSON text has.
fn parts<const N: usize>(data: &[u8]) -> Option<[&[u8]; N]> {
    data.split(|byte| *byte == 0).collect::<Vec<_>>().try_into().ok()
}

fn value(data: &[u8]) -> Option<Value> {
    json::decode(data, Duplicates::Last).ok().map(|decoded| decoded.value)
}

/// JSON: what is read and printed is read as the same; serde_json agrees on everything that it reads itself.
pub fn json(data: &[u8]) {
    let decoded = json::decode(data, Duplicates::Last);
    let merged = json::decode(data, Duplicates::Merge);
    assert_eq!(decoded.is_ok(), merged.is_ok());
    let reference = serde_json::from_slice::<Value>(data);
    match decoded {
        Ok(decoded) => {
            let printed = decoded.value.to_string();
            let again = json::decode(printed.as_bytes(), Duplicates::Last).unwrap();
            assert_eq!(again.value, decoded.value, "{printed}");
            assert!(again.repeated.is_empty() && again.out_of_range.is_none());
            if decoded.repeated.is_empty() {
                assert_eq!(merged.unwrap().value, decoded.value);
            }
            if let Ok(reference) = reference {
                assert_eq!(as_go(reference), as_go(decoded.value));
            }
        }
        Err(error) => assert!(reference.is_err(), "{error}"),
    }
}

/// Numbers as Go reads them: none of 64 bits without a sign, and one zero.
fn as_go(value: Value) -> Value {
    match value {
        Value::Number(number) if number.as_i64().is_none() => {
            number.as_f64().map_or(Value::Null, |float| if float == 0.0 { 0.into() } else { float.into() })
        }
        Value::Array(items) => items.into_iter().map(as_go).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, as_go(value))).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

/// YAML: what is read is JSON, and its JSON is YAML for the same.
pub fn yaml(data: &[u8]) {
    let Ok(decoded) = yaml_text::decode(data) else { return };
    let printed = decoded.value.to_string();
    let again = json::decode(printed.as_bytes(), Duplicates::Last).unwrap();
    assert_eq!(again.value, decoded.value, "{printed}");
}

/// Protobuf: what is read and written is read as the same.
pub fn protobuf(data: &[u8]) {
    let Ok(object) = protobuf_encoding::decode(data) else { return };
    let Ok(written) = protobuf_encoding::encode(&object) else { return };
    let again = protobuf_encoding::decode(&written).unwrap();
    assert_eq!(protobuf_encoding::encode(&again).unwrap(), written, "{object} {again}");
}

/// Label selectors: what is printed is read as the same selector.
pub fn label_selector(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(selector) = labels::Selector::parse(text) else { return };
    let printed = selector.to_string();
    let again = labels::Selector::parse(&printed).unwrap_or_else(|error| panic!("{error}: {text:?} {printed:?}"));
    assert_eq!(again.to_string(), printed, "{text:?}");
    for label in [None, Some(""), Some("a"), Some("1")] {
        assert_eq!(selector.matches(|_| label), again.matches(|_| label), "{text:?} {printed:?}");
    }
}

/// Field selectors: the same.
pub fn field_selector(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(selector) = fields::Selector::parse(text) else { return };
    let printed = selector.to_string();
    let again = fields::Selector::parse(&printed).unwrap_or_else(|error| panic!("{error}: {text:?} {printed:?}"));
    // Upstream sorts the terms as they are written: `a==b` comes elsewhere than `a=b`.
    let all = |selector: &fields::Selector| {
        let mut all: Vec<String> = selector.requirements().iter().map(|one| format!("{one:?}")).collect();
        all.sort();
        all
    };
    assert_eq!(all(&again), all(&selector), "{text:?} {printed:?}");
}

/// JSON patches: a document and a patch. Checking and applying agree, and a patch that fails changes nothing.
pub fn json_patch(data: &[u8]) {
    let Some([document, patch]) = parts(data) else { return };
    let (Some(document), Some(patch)) = (value(document), value(patch)) else { return };
    let _ = json_patch::check(&patch);
    let mut patched = document.clone();
    let applied = json_patch::apply_value(&mut patched, &patch);
    assert_eq!(json_patch::apply(&document, patch.to_string().as_bytes()).is_ok(), applied.is_ok());
}

/// Merge patches: applied again, a patch changes nothing more; nulls of a patch are nowhere in what it made.
pub fn merge_patch(data: &[u8]) {
    let Some([document, patch]) = parts(data) else { return };
    let (Some(mut document), Some(patch)) = (value(document), value(patch)) else { return };
    merge::apply(&mut document, &patch);
    let once = document.clone();
    merge::apply(&mut document, &patch);
    assert_eq!(document, once, "{patch}");
}

fn kind(name: &str) -> Schema {
    let (group, version) = if name == "Deployment" { ("apps", "v1") } else { ("", "v1") };
    let gvk = apimachinery::GroupVersionKind::new(group, version, name);
    schema::builtin().kind(&gvk).expect("a built-in kind")
}

/// Strategic merge patches of a Deployment. What is patched or refused is patched or refused again.
pub fn strategic_patch(data: &[u8]) {
    let Some([document, patch]) = parts(data) else { return };
    let (Some(document), Some(patch)) = (value(document), value(patch)) else { return };
    let kind = kind("Deployment");
    let once = strategic::apply(document.clone(), &patch, &kind.strategic());
    let again = strategic::apply(document, &patch, &kind.strategic());
    assert_eq!(once.is_ok(), again.is_ok());
    if let (Ok(once), Ok(again)) = (once, again) {
        assert_eq!(once, again);
    }
}

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

/// Quantities: the canonical form is read as the same quantity, and is its own canonical form.
pub fn quantity(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(quantity) = text.parse::<Quantity>() else { return };
    let printed = quantity.to_string();
    let again: Quantity = printed.parse().unwrap_or_else(|error| panic!("{error}: {text:?} {printed:?}"));
    assert_eq!(again.to_string(), printed, "{text:?}");
    assert_eq!(quantity.cmp(&again), std::cmp::Ordering::Equal, "{text:?} {printed:?}");
    assert!(quantity.sub(&quantity).is_zero());
    let _ = (quantity.value(), quantity.milli_value(), quantity.as_f64());
}

//! What conversion to the internal types moves from one field to another.

use std::borrow::Cow;

use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// The versioned object with its fields where the internal type of that name has them.
pub(crate) fn to_internal<'a>(type_name: &str, object: &'a Object) -> Cow<'a, Object> {
    let convert: fn(&mut Object) = match type_name {
        "core.PodSpec" => pod_spec,
        "core.PodStatus" => {
            |object| first_of_many(object, "podIP", "podIPs", |ip| [("ip".to_owned(), ip)].into_iter().collect())
        }
        "core.NodeSpec" => |object| first_of_many(object, "podCIDR", "podCIDRs", |cidr| cidr),
        "apiextensions.CustomResourceDefinitionSpec" => definition_spec,
        "apiextensions.CustomResourceConversion" => definition_conversion,
        _ => return Cow::Borrowed(object),
    };
    let mut object = object.clone();
    convert(&mut object);
    Cow::Owned(object)
}

/// What concerns the host stands in the security context, which is always there.
fn pod_spec(spec: &mut Object) {
    let moved = ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"];
    let values: Vec<(&str, Value)> = moved.iter().filter_map(|name| Some((*name, spec.remove(*name)?))).collect();
    let context = spec.entry("securityContext").or_insert(Value::Null);
    if context.is_null() {
        *context = Value::Object(Map::new());
    }
    if let Value::Object(context) = context {
        context.extend(values.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
}

/// A field that was one before it was many.
fn first_of_many(object: &mut Object, one: &str, many: &str, item: fn(Value) -> Value) {
    let given = object.get(many).and_then(Value::as_array).is_some_and(|many| !many.is_empty());
    if let Some(first) = object.remove(one).filter(|_| !given) {
        object.insert(many.to_owned(), Value::Array(vec![item(first)]));
    }
}

/// What all versions have alike stands in the spec instead.
fn definition_spec(spec: &mut Object) {
    let Some(Value::Array(versions)) = spec.get_mut("versions") else { return };
    let Some(first) = versions.first().cloned() else { return };
    let mut hoisted: Vec<(&str, Value)> = Vec::new();
    if let Some(name) = first.get("name") {
        hoisted.push(("version", name.clone()));
    }
    for (of_version, of_spec) in [
        ("subresources", "subresources"),
        ("schema", "validation"),
        ("additionalPrinterColumns", "additionalPrinterColumns"),
        ("selectableFields", "selectableFields"),
    ] {
        if versions.iter().any(|version| version.get(of_version) != first.get(of_version)) {
            continue;
        }
        for version in versions.iter_mut().filter_map(Value::as_object_mut) {
            version.remove(of_version);
        }
        hoisted.extend(first.get(of_version).map(|value| (of_spec, value.clone())));
    }
    spec.extend(hoisted.into_iter().map(|(name, value)| (name.to_owned(), value)));
}

/// A webhook's fields stand in the conversion itself.
fn definition_conversion(conversion: &mut Object) {
    if let Some(Value::Object(mut webhook)) = conversion.remove("webhook") {
        for (of_webhook, name) in
            [("clientConfig", "webhookClientConfig"), ("conversionReviewVersions", "conversionReviewVersions")]
        {
            conversion.extend(webhook.remove(of_webhook).map(|value| (name.to_owned(), value)));
        }
    }
}

//! Defaults as they are filled in: without what their schemas do not know, or metadata.

use serde_json::{Map, Value};

use crate::decode;
use crate::node::{Additional, Node};
use crate::prune;

/// How a schema is reached from the one around it.
#[derive(Clone, Copy)]
enum Step<'a> {
    Property(&'a str),
    Additional,
    Item,
}

/// Drops from the defaults of a custom resource's schema what an object that has them in their place cannot have. A default of
/// which nothing is left is none.
pub(super) fn prune(root: &mut Node) {
    let mut changes = Vec::new();
    visit(root, root, &mut Vec::new(), &mut changes);
    for (path, default) in changes {
        if let Some(node) = path.iter().try_fold(&mut *root, |node, at| below(node, *at)) {
            node.default = default;
        }
    }
}

/// The place of a schema among those of the one around it.
#[derive(Clone, Copy)]
enum Place {
    Property(usize),
    Additional,
    Item,
}

fn below(node: &mut Node, place: Place) -> Option<&mut Node> {
    match (place, &mut node.additional) {
        (Place::Property(at), _) => node.properties.get_mut(at).map(|property| &mut property.node),
        (Place::Additional, Additional::Of(node)) => Some(node),
        (Place::Additional, _) => None,
        (Place::Item, _) => node.items.as_deref_mut(),
    }
}

type Changes = Vec<(Vec<Place>, Option<Value>)>;

fn visit<'a>(root: &Node, node: &'a Node, path: &mut Vec<(Place, Step<'a>)>, changes: &mut Changes) {
    if let Some(default) = &node.default {
        let mut object = around(default.clone(), path);
        decode::repair(root, &mut object);
        prune::prune(root, &mut object, true);
        let left = within(object, path);
        if left.as_ref() != Some(default) {
            changes.push((path.iter().map(|(place, _)| *place).collect(), left));
        }
    }
    let mut enter = |place: Place, step: Step<'a>, node: &'a Node| {
        path.push((place, step));
        visit(root, node, path, changes);
        path.pop();
    };
    if let Some(values) = node.additional() {
        enter(Place::Additional, Step::Additional, values);
    }
    if let Some(items) = &node.items {
        enter(Place::Item, Step::Item, items);
    }
    for (at, property) in node.properties.iter().enumerate() {
        enter(Place::Property(at), Step::Property(&property.name), &property.node);
    }
}

/// The name that stands for any.
const ANY: &str = "*";

/// The least object that has the value in its place.
fn around(value: Value, path: &[(Place, Step<'_>)]) -> Value {
    path.iter().rev().fold(value, |value, (_, step)| match step {
        Step::Property(name) => Value::Object(Map::from_iter([((*name).to_owned(), value)])),
        Step::Additional => Value::Object(Map::from_iter([(ANY.to_owned(), value)])),
        Step::Item => Value::Array(vec![value]),
    })
}

/// What is left of the value in its place.
fn within(object: Value, path: &[(Place, Step<'_>)]) -> Option<Value> {
    path.iter().try_fold(object, |value, (_, step)| match (step, value) {
        (Step::Property(name), Value::Object(mut fields)) => fields.remove(*name),
        (Step::Additional, Value::Object(mut fields)) => fields.remove(ANY),
        (Step::Item, Value::Array(items)) => items.into_iter().next(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Schema;

    #[test]
    fn defaults_have_no_metadata_that_there_is_not() {
        let bar = json!({"apiVersion": "v1", "kind": "Foo", "metadata": {"name": "bar"}});
        let whole = json!({"apiVersion": "v1", "kind": "Foo", "metadata": {"name": "bar", "unknown": "x"}});
        let text = |default: &str| json!({"type": "string", "default": default});
        let embedded = |preserve: bool, mut schema: serde_json::Value| {
            schema["type"] = json!("object");
            schema["x-kubernetes-embedded-resource"] = json!(true);
            if preserve {
                schema["x-kubernetes-preserve-unknown-fields"] = json!(true);
            }
            schema
        };
        for preserve in [false, true] {
            let fields = embedded(
                preserve,
                json!({"properties": {"apiVersion": text("v1"), "kind": text("Foo"), "metadata": {
                    "type": "object", "properties": {"name": text("bar"), "unknown": text("x")}}}}),
            );
            let metadata = embedded(
                preserve,
                json!({"properties": {"apiVersion": text("v1"), "kind": text("Foo"), "metadata": {
                    "type": "object", "default": {"name": "bar", "unknown": "x"}}}}),
            );
            let object = embedded(preserve, json!({"properties": {"foo": {"type": "string"}}, "default": whole}));
            let part = embedded(preserve, json!({"properties": {"foo": {"type": "string"}}}));
            let schema = Schema::of_crd(&json!({"type": "object", "properties": {
                "fields": fields, "metadataOnly": metadata, "object": object,
                "list": {"type": "array", "items": object, "default": [whole]},
                "map": {"type": "object", "additionalProperties": object},
                "around": {"type": "object", "properties": {"part": part}, "default": {"part": whole, "other": 1}}}}));
            let mut value = json!({"fields": {"metadata": {}}, "metadataOnly": {}, "map": {"a": {"foo": "x"}}});
            schema.apply_defaults(&mut value);
            assert_eq!(
                value,
                json!({"fields": bar, "metadataOnly": bar, "object": bar, "list": [bar], "map": {"a": {"foo": "x"}},
                    "around": {"part": bar}})
            );
        }
    }
}

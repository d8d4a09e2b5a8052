//! Defaults must be valid values of the schemas they stand in.

use apimachinery::field::{Aggregate, Error, ErrorList, Path};
use serde_json::{Map, Value, json};

use crate::decode;
use crate::node::Node;
use crate::parse;
use crate::prune::{self, META_FIELDS};
use crate::rules::{self, BUDGET};
use crate::validate;

/// What is wrong with the defaults of a version's schema.
pub(super) fn validate(raw: &Value, pruned: bool, path: &Path) -> ErrorList {
    if !super::has_defaults(raw) {
        return ErrorList::new();
    }
    let root = parse::custom(raw);
    let mut walk = Walk { pruned, budget: Some(BUDGET), errors: ErrorList::new() };
    let place = Place { resource: &root, steps: None, inside_metadata: false };
    walk.visit(&root, raw, true, place, path);
    walk.errors
}

/// Whether a default has fields that its schema does not have.
pub(super) fn any_unpruned(root: &Node) -> bool {
    fn below(node: &Node) -> bool {
        let unpruned = node.default.as_ref().is_some_and(|default| is_unpruned(node, default, node.embedded_resource));
        unpruned
            || node.items.as_deref().is_some_and(below)
            || node.additional().is_some_and(below)
            || node.properties.iter().any(|property| below(&property.node))
    }
    below(root)
}

fn is_unpruned(node: &Node, default: &Value, resource: bool) -> bool {
    let mut pruned = default.clone();
    prune::prune_default(node, &mut pruned, resource);
    pruned != *default
}

/// Where a schema stands in the object that it is about.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The nearest schema around it of a whole object.
    resource: &'a Node,
    /// How to get from there to it.
    steps: Option<&'a Step<'a>>,
    /// It is about a part of that object's apiVersion, kind or metadata.
    inside_metadata: bool,
}

struct Step<'a> {
    before: Option<&'a Step<'a>>,
    /// A field; `None` is an item.
    field: Option<&'a str>,
}

impl Place<'_> {
    /// The least object that has the value in its place.
    fn object(&self, value: &Value) -> Value {
        let mut value = value.clone();
        let mut step = self.steps;
        while let Some(Step { before, field }) = step {
            value = match field {
                Some(field) => Value::Object(Map::from_iter([((*field).to_owned(), value)])),
                None => Value::Array(vec![value]),
            };
            step = *before;
        }
        if let Some(object) = value.as_object_mut() {
            object.entry("kind").or_insert_with(|| json!("Validation"));
            object.entry("apiVersion").or_insert_with(|| json!("validation/v1"));
        }
        value
    }
}

struct Walk {
    pruned: bool,
    budget: Option<u64>,
    errors: ErrorList,
}

impl Walk {
    fn visit(&mut self, node: &Node, raw: &Value, root: bool, place: Place<'_>, path: &Path) {
        let resource = root || node.embedded_resource;
        let place = if resource { Place { resource: node, steps: None, inside_metadata: false } } else { place };
        if let Some(default) = &node.default {
            self.default(node, raw, default, resource, place, &path.child("default"));
        }
        // There are no defaults to check below additionalProperties.
        if let (Some(items), Some(raw)) = (&node.items, raw.get("items")) {
            let step = Step { before: place.steps, field: None };
            self.visit(items, raw, false, Place { steps: Some(&step), ..place }, &path.child("items"));
        }
        for property in node.properties.iter() {
            let Some(raw) = raw.get("properties").and_then(|all| all.get(&*property.name)) else { continue };
            let step = Step { before: place.steps, field: Some(&property.name) };
            let inside_metadata = place.inside_metadata || (resource && META_FIELDS.contains(&&*property.name));
            let place = Place { steps: Some(&step), inside_metadata, ..place };
            self.visit(&property.node, raw, false, place, &path.child("properties").key(&property.name));
        }
    }

    fn default(&mut self, node: &Node, raw: &Value, default: &Value, resource: bool, place: Place<'_>, at: &Path) {
        if self.budget.is_none() {
            return;
        }
        let mut wrong;
        if place.inside_metadata {
            wrong = metadata(&place, default, at).into_iter().collect();
        } else {
            if self.pruned && is_unpruned(node, default, resource) {
                self.errors.push(Error::invalid(at, default.clone(), "must not have unknown fields"));
            }
            wrong = match decode::embedded_metadata(node, &mut default.clone(), resource, at) {
                Err(error) => vec![error],
                Ok(()) => validate::embedded_resources(node, default, resource, at),
            };
        }
        if wrong.is_empty() {
            wrong = validate::keywords(node, default, None, at);
        }
        if wrong.is_empty() {
            wrong = rules::validate_default(raw, default, resource, &mut self.budget, at);
        }
        self.errors.extend(wrong);
    }
}

/// What is wrong with the object that has the default in its apiVersion, kind or metadata.
fn metadata(place: &Place<'_>, default: &Value, at: &Path) -> Option<Error> {
    let mut object = place.object(default);
    let refused =
        |why: String| Some(Error::invalid(at, default.clone(), format!("must result in valid metadata: {why}")));
    if let Err(error) = decode::embedded_metadata(place.resource, &mut object, true, &Path::default()) {
        return refused(error.to_string());
    }
    let wrong = validate::embedded_resources(place.resource, &object, true, &Path::default());
    if wrong.is_empty() { None } else { refused(Aggregate(&wrong).to_string()) }
}

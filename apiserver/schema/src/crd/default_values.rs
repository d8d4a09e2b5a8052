//! Defaults must be valid values of the schemas they stand in.

use apimachinery::field::{Error, ErrorList, Path};

use crate::node::Node;
use crate::prune::{self, META_FIELDS};
use crate::validate;

pub(super) fn validate(root: &Node, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    visit(root, true, false, path, &mut errors);
    errors
}

/// `resource`: the value is a whole object; `inside_metadata`: it is part of one's apiVersion, kind or metadata.
fn visit(node: &Node, root: bool, inside_metadata: bool, path: &Path, errors: &mut ErrorList) {
    let resource = root || node.embedded_resource;
    let inside_metadata = inside_metadata && !resource;
    if let Some(default) = &node.default {
        let at = path.child("default");
        let mut found = ErrorList::new();
        if !inside_metadata {
            let mut pruned = default.clone();
            prune::prune_default(node, &mut pruned, resource);
            if &pruned != default {
                errors.push(Error::invalid(&at, default.clone(), "must not have unknown fields"));
            }
            found = validate::embedded_resources(node, default, resource, &at);
        }
        if found.is_empty() {
            found = validate::keywords(node, default, None, &at);
        }
        errors.extend(found);
    }
    // There are no defaults to check below additionalProperties.
    if let Some(items) = &node.items {
        visit(items, false, inside_metadata, &path.child("items"), errors);
    }
    for property in &node.properties {
        let inside_metadata = inside_metadata || (resource && META_FIELDS.contains(&&*property.name));
        visit(&property.node, false, inside_metadata, &path.child("properties").key(&property.name), errors);
    }
}

//! Schemas of custom resources.
use std::sync::OnceLock;

use apimachinery::field::{ErrorList, Path};
use serde_json::Value;

use crate::merge::MergeType;
use crate::node::{Kind, Node};
use crate::parse;

/// The schema of a custom resource.
#[derive(Debug)]
pub(crate) struct Custom {
    pub root: Node,
    pub merge: OnceLock<MergeType>,
}

impl Custom {
    fn new(root: Node) -> Self {
        Self { root, merge: OnceLock::new() }
    }
}

/// Reads a version's schema.
pub(crate) fn custom(raw: &Value, _path: &Path) -> Result<Custom, ErrorList> {
    Ok(Custom::new(parse::custom(raw)))
}

/// The schema that knows of nothing but that there is an object.
pub(crate) fn preserving() -> Custom {
    Custom::new(Node { kind: Kind::Object, preserve_unknown: true, ..Node::default() })
}

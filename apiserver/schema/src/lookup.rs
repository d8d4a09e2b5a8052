//! What strategic merge patches ask of a schema.

use apimachinery::patch::strategic::{Field, Lookup, Strategy};

use crate::node::{Kind, Node};

/// A place in a schema, for [`apimachinery::patch::strategic::apply`].
#[derive(Clone, Copy, Debug)]
pub struct StrategicLookup<'a>(&'a Node);

impl<'a> StrategicLookup<'a> {
    pub(crate) fn new(node: &'a Node) -> Self {
        Self(node.resolve())
    }
}

impl Lookup for StrategicLookup<'_> {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        let node = self.0;
        if node.kind != Kind::Object {
            return None;
        }
        let child = node.property(name).map(|p| &p.node).or_else(|| node.additional())?;
        let merging = child.merging.as_deref();
        let mut strategy = Strategy::default();
        for word in merging.and_then(|m| m.patch_strategy.as_deref()).unwrap_or_default().split(',') {
            match word {
                "merge" => strategy.merge = true,
                "replace" => strategy.replace = true,
                "retainKeys" => strategy.retain_keys = true,
                _ => {}
            }
        }
        let value = child.resolve();
        let schema = match &value.items {
            Some(items) => items.resolve(),
            None => value,
        };
        Some(Field {
            strategy,
            merge_key: merging.and_then(|m| m.patch_merge_key.as_deref()),
            schema: Box::new(StrategicLookup(schema)),
        })
    }
}

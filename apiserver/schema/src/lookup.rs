//! What strategic merge patches ask of a schema.

use apimachinery::patch::strategic::{Field, Lookup, Strategy, TypeName};

use crate::builtin::{DefinitionId, builtin as builtins};
use crate::node::{Kind, Node};

/// A place in a schema, for [`apimachinery::patch::strategic::apply`].
#[derive(Clone, Copy, Debug)]
pub struct StrategicLookup<'a> {
    node: &'a Node,
    /// The definition that `node` is the root of.
    id: Option<DefinitionId>,
}

impl<'a> StrategicLookup<'a> {
    pub(crate) fn new(node: &'a Node, id: Option<DefinitionId>) -> Self {
        Self { node: node.resolve(), id: node.reference.or(id) }
    }
}

impl Lookup for StrategicLookup<'_> {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        let child = &self.node.property(name)?.node;
        let merging = child.merging.as_deref();
        let schema = match &child.resolve().items {
            Some(items) => StrategicLookup::new(items, None),
            None => StrategicLookup::new(child, None),
        };
        Some(Field {
            strategy: Strategy::parse(merging.and_then(|m| m.patch_strategy.as_deref()).unwrap_or_default()),
            merge_key: merging.and_then(|m| m.patch_merge_key.as_deref()),
            schema: Box::new(schema),
        })
    }

    fn type_name(&self) -> TypeName<'_> {
        match (self.node.kind, self.id) {
            (Kind::Object, Some(id)) if self.node.additional().is_none() => {
                TypeName::Struct(builtins().struct_name(id))
            }
            // Types that decode themselves are structs, too.
            (Kind::Quantity | Kind::Time | Kind::MicroTime | Kind::IntOrString | Kind::Raw, Some(id)) => {
                TypeName::Struct(builtins().struct_name(id))
            }
            (Kind::Object, _) => TypeName::Kind("map"),
            (Kind::Array | Kind::Bytes, _) => TypeName::Kind("slice"),
            (Kind::String, _) => TypeName::Kind("string"),
            (Kind::Integer, _) => TypeName::Kind(if self.node.is_int32() { "int32" } else { "int64" }),
            (Kind::Number, _) => TypeName::Kind("float64"),
            (Kind::Boolean, _) => TypeName::Kind("bool"),
            _ => TypeName::Kind("interface"),
        }
    }
}

//! The tree of an expression.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::places::Places;
use crate::value::Value;

/// The number of an expression in its tree, from 1; what is known of it (place, type, overloads) is kept by it.
pub type Id = u32;

/// One node.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    /// Its number.
    pub id: Id,
    /// What it is.
    pub kind: Kind,
}

impl Expr {
    /// The nodes right below, in the order in which they stand.
    pub(crate) fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            Kind::Literal(_) | Kind::Ident(_) | Kind::Constant(_) | Kind::Error => Vec::new(),
            Kind::Member { item, .. } => vec![item],
            Kind::Select { operand, .. } => vec![operand],
            Kind::Call { target, arguments, .. } => target.as_deref().into_iter().chain(arguments).collect(),
            Kind::List { elements, .. } => elements.iter().collect(),
            Kind::Map(entries) => entries.iter().flat_map(|entry| [&entry.key, &entry.value]).collect(),
            Kind::Struct { fields, .. } => fields.iter().map(|field| &field.value).collect(),
            Kind::Comprehension(of) => vec![&of.range, &of.initial, &of.condition, &of.step, &of.result],
        }
    }

    /// [`Expr::children`], to be changed.
    pub(crate) fn children_mut(&mut self) -> Vec<&mut Expr> {
        match &mut self.kind {
            Kind::Literal(_) | Kind::Ident(_) | Kind::Constant(_) | Kind::Error => Vec::new(),
            Kind::Member { item, .. } => vec![item],
            Kind::Select { operand, .. } => vec![operand],
            Kind::Call { target, arguments, .. } => target.as_deref_mut().into_iter().chain(arguments).collect(),
            Kind::List { elements, .. } => elements.iter_mut().collect(),
            Kind::Map(entries) => entries.iter_mut().flat_map(|entry| [&mut entry.key, &mut entry.value]).collect(),
            Kind::Struct { fields, .. } => fields.iter_mut().map(|field| &mut field.value).collect(),
            Kind::Comprehension(of) => {
                vec![&mut of.range, &mut of.initial, &mut of.condition, &mut of.step, &mut of.result]
            }
        }
    }

    /// Shows every node of the tree.
    pub(crate) fn visit(&self, see: &mut impl FnMut(&Expr)) {
        see(self);
        self.children().into_iter().for_each(|child| child.visit(see));
    }
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A constant.
    Literal(Literal),
    /// A variable, or a type's name.
    Ident(Arc<str>),
    /// `operand.field`, or `has(operand.field)` if `test`.
    Select { operand: Box<Expr>, field: Arc<str>, test: bool },
    /// `function(arguments)` or `target.function(arguments)`; operators are functions as well.
    Call { function: Arc<str>, target: Option<Box<Expr>>, arguments: Vec<Expr> },
    /// `[elements]`; those whose index is in `optional` stand behind a question mark.
    List { elements: Vec<Expr>, optional: Vec<usize> },
    /// `{entries}`.
    Map(Vec<Entry>),
    /// `name{fields}`.
    Struct { name: Arc<str>, fields: Vec<Field> },
    /// A macro's loop.
    Comprehension(Box<Comprehension>),
    /// A value that is known before evaluation; made by the plan.
    Constant(Value<'static>),
    /// `item in [constants]`; made by the plan.
    Member { item: Box<Expr>, items: Places<'static, ()> },
    /// What could not be read; an issue tells of it.
    Error,
}

/// An entry of a map literal.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Expr,
    /// The value.
    pub value: Expr,
    /// Whether the value stands behind a question mark.
    pub optional: bool,
}

/// A field of a message literal.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its value.
    pub value: Expr,
}

/// A loop over a list or a map's keys that folds into an accumulator.
#[derive(Clone, Debug)]
pub struct Comprehension {
    /// What is looped over.
    pub range: Expr,
    /// The element, or the key; with `second`, the index or the key.
    pub variable: Arc<str>,
    /// The element or the value of loops with two variables.
    pub second: Option<Arc<str>>,
    /// The accumulator's name.
    pub accumulator: Arc<str>,
    /// Its first value.
    pub initial: Expr,
    /// Whether the loop goes on.
    pub condition: Expr,
    /// The accumulator's next value.
    pub step: Expr,
    /// The value of the whole.
    pub result: Expr,
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// `1`, `0x1`
    Int(i64),
    /// `1u`
    Uint(u64),
    /// `1.0`
    Double(f64),
    /// `'text'`
    String(Arc<str>),
    /// `b'bytes'`
    Bytes(Arc<[u8]>),
}

/// A tree with the places of its nodes.
#[derive(Clone, Debug)]
pub struct Ast {
    /// The root.
    pub root: Expr,
    /// By number less one: the place, in characters.
    pub offsets: Vec<usize>,
}

impl Ast {
    /// The place of a node.
    pub fn offset(&self, id: Id) -> Option<usize> {
        self.offsets.get((id as usize).wrapping_sub(1)).copied()
    }

    /// The names in it.
    pub fn names(&self) -> BTreeSet<Arc<str>> {
        let mut names = BTreeSet::new();
        self.root.visit(&mut |expr| {
            if let Kind::Ident(name) = &expr.kind {
                names.insert(name.clone());
            }
        });
        names
    }
}

/// The functions that operators are, and what upstream calls them.
pub mod operator {
    #![allow(missing_docs)]
    pub const CONDITIONAL: &str = "_?_:_";
    pub const AND: &str = "_&&_";
    pub const OR: &str = "_||_";
    pub const NOT: &str = "!_";
    pub const NEGATE: &str = "-_";
    pub const EQUALS: &str = "_==_";
    pub const NOT_EQUALS: &str = "_!=_";
    pub const ADD: &str = "_+_";
    pub const INDEX: &str = "_[_]";
    pub const OPTIONAL_INDEX: &str = "_[?_]";
    pub const OPTIONAL_SELECT: &str = "_?._";
    pub const NOT_STRICTLY_FALSE: &str = "@not_strictly_false";
    pub const MAP_INSERT: &str = "cel.@mapInsert";

    /// The function of a binary operator.
    pub fn binary(text: &str) -> Option<&'static str> {
        Some(match text {
            "<" => "_<_",
            "<=" => "_<=_",
            ">" => "_>_",
            ">=" => "_>=_",
            "==" => EQUALS,
            "!=" => NOT_EQUALS,
            "in" => "@in",
            "+" => ADD,
            "-" => "_-_",
            "*" => "_*_",
            "/" => "_/_",
            "%" => "_%_",
            _ => return None,
        })
    }
}

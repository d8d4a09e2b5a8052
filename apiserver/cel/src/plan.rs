//! What of a checked tree is known before it is evaluated: cel-go's optimizations, which decide what evaluation costs.
//! Constants are made once and cost nothing, membership in a list of constants is looked up, regular expressions are
//! compiled.

use std::collections::HashMap;

use regex::Regex;

use crate::ast::{Expr, Id, Kind, Literal};
use crate::checker::Checked;
use crate::declarations;
use crate::functions;
use crate::interpreter::constant;
use crate::pattern;
use crate::places::Places;
use crate::types::Type;
use crate::value::{Map, Text, Value};

/// Plans the evaluation of a tree; the regular expressions that stand in it come back by their call.
///
/// # Errors
/// Why nothing could ever be evaluated: a constant cannot be converted, a regular expression is none.
pub(crate) fn plan(checked: &mut Checked) -> Result<HashMap<Id, Regex>, String> {
    let mut root = std::mem::replace(&mut checked.ast.root, Expr { id: 0, kind: Kind::Error });
    let mut plan = Plan { checked, regexes: HashMap::new() };
    let outcome = plan.visit(&mut root);
    let regexes = plan.regexes;
    checked.ast.root = root;
    outcome.map(|()| regexes)
}

struct Plan<'a> {
    checked: &'a Checked,
    regexes: HashMap<Id, Regex>,
}

impl Plan<'_> {
    fn visit(&mut self, expr: &mut Expr) -> Result<(), String> {
        for child in expr.children_mut() {
            self.visit(child)?;
        }
        let planned = match &expr.kind {
            Kind::Ident(name) if matches!(self.checked.type_of(expr.id), Type::Meta(_)) => {
                let bare = name.strip_prefix('.').unwrap_or(name);
                let named = declarations::type_named(bare);
                Some(Kind::Constant(Value::Type(named.ok_or_else(|| format!("reference to undefined type: {bare}"))?)))
            }
            Kind::List { elements, optional } if optional.is_empty() => {
                let items: Option<Vec<_>> = elements.iter().map(constant_of).collect();
                items.map(|items| Kind::Constant(Value::list(items)))
            }
            Kind::Map(entries) if entries.iter().all(|entry| !entry.optional) => {
                let entries: Option<Map<'static>> =
                    entries.iter().map(|entry| Some((constant_of(&entry.key)?, constant_of(&entry.value)?))).collect();
                entries.map(|map| Kind::Constant(Value::Map(map)))
            }
            Kind::Call { .. } => self.call(expr)?,
            _ => None,
        };
        if let Some(kind) = planned {
            expr.kind = kind;
        }
        Ok(())
    }

    fn call(&mut self, expr: &Expr) -> Result<Option<Kind>, String> {
        let Kind::Call { function, target, arguments } = &expr.kind else { return Ok(None) };
        let mut all = target.as_deref().into_iter().chain(arguments);
        match (&**function, all.next(), all.next(), all.next()) {
            (
                "bool" | "bytes" | "double" | "duration" | "dyn" | "int" | "string" | "timestamp" | "type" | "uint",
                Some(argument),
                None,
                None,
            ) => {
                let Some(value) = constant_of(argument) else { return Ok(None) };
                let values = [value];
                let made = functions::call(function, "", target.is_some(), &values, None);
                Ok(Some(Kind::Constant(made.map_err(|error| error.message)?)))
            }
            ("@in", Some(item), Some(list), None) if matches!(self.checked.overloads(expr.id), ["in_list"]) => {
                let Some(Value::List(list)) = constant_of(list) else { return Ok(None) };
                if list.len() == 0 {
                    return Ok(Some(Kind::Constant(Value::Bool(false))));
                }
                let mut items = Places::default();
                for each in list.iter().flatten() {
                    match each {
                        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::String(_) => {
                            items.insert(vec![each], ());
                        }
                        _ => return Ok(None),
                    }
                }
                Ok(Some(Kind::Member { item: Box::new(item.clone()), items }))
            }
            ("matches" | "find" | "findAll", Some(_), Some(pattern), _) => {
                if let Some(Value::String(pattern)) = constant_of(pattern) {
                    self.regexes.insert(expr.id, pattern::compile(&pattern)?);
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}

fn constant_of(expr: &Expr) -> Option<Value<'static>> {
    match &expr.kind {
        Kind::Constant(value) => Some(value.clone()),
        Kind::Literal(Literal::String(text)) => Some(Value::String(Text::Made(text.clone()))),
        Kind::Literal(literal) => Some(match constant(literal) {
            Value::Bool(value) => Value::Bool(value),
            Value::Int(value) => Value::Int(value),
            Value::Uint(value) => Value::Uint(value),
            Value::Double(value) => Value::Double(value),
            Value::Bytes(bytes) => Value::Bytes(bytes),
            _ => Value::Null,
        }),
        _ => None,
    }
}

//! Chains of names, fields, elements and choices: upstream's attributes, which cost one for each part that is looked up.

use std::sync::Arc;

use super::{Error, Interpreter, Result};
use crate::ast::{Expr, Kind, Literal, operator};
use crate::functions;
use crate::value::{List, Text, Value};

impl<'a> Interpreter<'a> {
    /// A value of which a field or an element is taken, or that a choice comes to: where it is an attribute itself, its
    /// chain goes on.
    pub(super) fn operand(&mut self, expr: &'a Expr) -> Result<Value<'a>> {
        if is_attribute(expr) { self.resolve(expr) } else { self.eval(expr) }
    }

    /// The value of an attribute, without the cost of its beginning.
    pub(super) fn resolve(&mut self, expr: &'a Expr) -> Result<Value<'a>> {
        match &expr.kind {
            Kind::Ident(name) => self.named(name),
            Kind::Select { operand, field, .. } => match self.operand(operand)? {
                of @ Value::Optional(_) => {
                    let found = optional_field(of, field)?;
                    self.found(found)
                }
                of => {
                    self.spend(1)?;
                    select(of, field)
                }
            },
            Kind::Call { function, arguments, .. } => match (&**function, arguments.as_slice()) {
                (operator::CONDITIONAL, [condition, yes, no]) => match self.eval(condition)? {
                    Value::Bool(true) => self.operand(yes),
                    Value::Bool(false) => self.operand(no),
                    _ => Err(Error::no_overload()),
                },
                (operator::OPTIONAL_SELECT, [of, Expr { kind: Kind::Literal(Literal::String(field)), .. }]) => {
                    let of = self.operand(of)?;
                    let found = optional_field(of, field)?;
                    self.found(found)
                }
                (operator::INDEX | operator::OPTIONAL_INDEX, [of, index]) => {
                    let of = self.operand(of)?;
                    if matches!(of, Value::Optional(None)) {
                        return Ok(of);
                    }
                    let known = self.operand(index);
                    // What an attribute costs is counted as the index that it is.
                    let free = **function == *operator::INDEX && is_attribute(index) && begins_with_choice(index);
                    if **function == *operator::OPTIONAL_INDEX || matches!(of, Value::Optional(_)) {
                        let found = optional_element(of, &known?)?;
                        return if free { Ok(found) } else { self.found(found) };
                    }
                    if !free {
                        self.spend(1)?;
                    }
                    element(of, &known?)
                }
                _ => Err(Error::no_overload()),
            },
            _ => Err(Error::no_overload()),
        }
    }

    /// What was looked for and need not be there costs only where it is.
    fn found(&mut self, value: Value<'a>) -> Result<Value<'a>> {
        if !matches!(value, Value::Optional(None)) {
            self.spend(1)?;
        }
        Ok(value)
    }

    /// `has(operand.field)`
    pub(super) fn test(&mut self, operand: &'a Expr, field: &str) -> Result<Value<'a>> {
        let outcome = match self.operand(operand) {
            Ok(Value::Optional(None)) => Ok(false),
            Ok(Value::Optional(Some(of))) => {
                let there = has(&of, field);
                if let Ok(true) = there {
                    self.spend(1)?;
                }
                there
            }
            Ok(of) => {
                self.spend(1)?;
                has(&of, field)
            }
            Err(error) => Err(error),
        };
        if begins_with_choice(operand) {
            // As upstream: tests give back what attributes cost, and a choice has cost nothing.
            self.cost = self.cost.saturating_sub(1);
        }
        outcome.map(Value::Bool)
    }
}

/// Whether an expression is a name, or a chain of fields, elements and choices: upstream's attributes.
pub(super) fn is_attribute(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Ident(_) | Kind::Select { test: false, .. } => true,
        Kind::Call { function, target: None, .. } => matches!(
            &**function,
            operator::CONDITIONAL | operator::INDEX | operator::OPTIONAL_INDEX | operator::OPTIONAL_SELECT
        ),
        _ => false,
    }
}

/// Whether an attribute's chain begins with `condition ? a : b`, which costs nothing itself.
pub(super) fn begins_with_choice(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Select { operand, test: false, .. } => begins_with_choice(operand),
        Kind::Call { function, arguments, .. } if is_attribute(expr) => {
            **function == *operator::CONDITIONAL || arguments.first().is_some_and(begins_with_choice)
        }
        _ => false,
    }
}

/// The field or entry of a name, if it is there.
fn field<'a>(of: &Value<'a>, name: &str) -> Result<Option<Value<'a>>> {
    match of {
        Value::Object(json, object) => match object.field(name) {
            // As upstream: a null counts as not there.
            Some(field) => match json.get(&field.name) {
                None | Some(serde_json::Value::Null) => Ok(None),
                Some(value) => Value::of_json(value, &field.decl).map(Some),
            },
            None => Ok(None),
        },
        Value::Map(map) => map.get(&Value::String(Text::Made(name.into()))).transpose(),
        _ => Err(Error::no_overload()),
    }
}

fn select<'a>(of: Value<'a>, name: &str) -> Result<Value<'a>> {
    if let Value::Optional(inner) = &of {
        return match inner {
            Some(inner) => optional_field((**inner).clone(), name),
            None => Ok(of),
        };
    }
    field(&of, name)?.ok_or_else(|| Error::no_key(name))
}

fn has(of: &Value<'_>, name: &str) -> Result<bool> {
    match of {
        Value::Optional(None) => Ok(false),
        Value::Optional(Some(inner)) => has(inner, name),
        of => Ok(field(of, name)?.is_some()),
    }
}

fn optional_field<'a>(of: Value<'a>, name: &str) -> Result<Value<'a>> {
    match of {
        Value::Optional(None) => Ok(Value::Optional(None)),
        Value::Optional(Some(inner)) => optional_field((*inner).clone(), name),
        of => Ok(Value::Optional(field(&of, name)?.map(Arc::new))),
    }
}

fn position(index: &Value<'_>) -> Result<i64> {
    match index {
        Value::Int(index) => Ok(*index),
        Value::Uint(index) => i64::try_from(*index).map_err(|_| Error::new(format!("index out of bounds: {index}"))),
        Value::Double(index) if index.fract() == 0.0 => Ok(*index as i64),
        _ => Err(Error::no_overload()),
    }
}

fn in_list<'a>(list: &List<'a>, index: &Value<'_>) -> Result<Option<Value<'a>>> {
    let at = position(index)?;
    usize::try_from(at).ok().and_then(|at| list.get(at)).transpose()
}

pub(super) fn element<'a>(of: Value<'a>, index: &Value<'a>) -> Result<Value<'a>> {
    match &of {
        Value::List(list) => {
            in_list(list, index)?.ok_or_else(|| Error::new(format!("index out of bounds: {}", functions::shown(index))))
        }
        Value::Map(map) => map.get(index).transpose()?.ok_or_else(|| Error::no_key(functions::shown(index))),
        Value::Object(..) => match index {
            Value::String(name) => select(of.clone(), name),
            _ => Err(Error::no_overload()),
        },
        Value::Optional(_) => optional_element(of, index),
        _ => Err(Error::no_overload()),
    }
}

fn optional_element<'a>(of: Value<'a>, index: &Value<'a>) -> Result<Value<'a>> {
    match &of {
        Value::Optional(None) => Ok(of),
        Value::Optional(Some(inner)) => optional_element((**inner).clone(), index),
        Value::List(list) => Ok(Value::Optional(in_list(list, index)?.map(Arc::new))),
        Value::Map(map) => Ok(Value::Optional(map.get(index).transpose()?.map(Arc::new))),
        Value::Object(..) => match index {
            Value::String(name) => optional_field(of.clone(), name),
            _ => Err(Error::no_overload()),
        },
        _ => Err(Error::no_overload()),
    }
}

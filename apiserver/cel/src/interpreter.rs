//! Evaluates a checked tree, and reckons what that costs.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use regex::Regex;

use crate::ast::{Comprehension, Expr, Kind, Literal, operator};
use crate::checker::Checked;
use crate::functions;
use crate::value::{List, Map, Text, Value};

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What went wrong, as cel-go says it.
    pub message: String,
    /// Whether evaluation was ended because it cost too much.
    pub cancelled: bool,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), cancelled: false }
    }

    /// The arguments are of types that the function does not take.
    pub(crate) fn no_overload() -> Self {
        Self::new("no such overload")
    }

    pub(crate) fn no_key(key: impl fmt::Display) -> Self {
        Self::new(format!("no such key: {key}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Evaluates `checked` with the variables given. What it cost comes with the value or the error; beyond `limit` it ends.
pub(crate) fn evaluate<'a>(
    checked: &'a Checked,
    regexes: &'a HashMap<u32, Regex>,
    variables: Vec<(Arc<str>, Value<'a>)>,
    limit: u64,
) -> (Result<Value<'a>>, u64) {
    let mut interpreter = Interpreter { checked, regexes, scope: variables, cost: 0, limit };
    let value = interpreter.eval(&checked.ast.root);
    (value, interpreter.cost)
}

struct Interpreter<'a> {
    checked: &'a Checked,
    /// The patterns that stand in the expression, by their call.
    regexes: &'a HashMap<u32, Regex>,
    /// The innermost last.
    scope: Vec<(Arc<str>, Value<'a>)>,
    cost: u64,
    limit: u64,
}

impl<'a> Interpreter<'a> {
    fn spend(&mut self, cost: u64) -> Result<()> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > self.limit {
            let message = "operation cancelled: actual cost limit exceeded".to_owned();
            return Err(Error { message, cancelled: true });
        }
        Ok(())
    }

    fn eval(&mut self, expr: &'a Expr) -> Result<Value<'a>> {
        match &expr.kind {
            Kind::Literal(literal) => Ok(constant(literal)),
            Kind::Ident(name) => {
                self.spend(1)?;
                self.named(name)
            }
            Kind::Select { operand, field, test } => {
                let operand_value = self.operand(operand)?;
                if *test {
                    return has(&operand_value, field).map(Value::Bool);
                }
                self.spend(1)?;
                select(operand_value, field)
            }
            Kind::Call { function, target, arguments } => self.call(expr, function, target.as_deref(), arguments),
            Kind::List { elements, optional } => {
                let constant = elements.iter().all(|element| matches!(element.kind, Kind::Literal(_)));
                let mut items = Vec::with_capacity(elements.len());
                for (at, element) in elements.iter().enumerate() {
                    match (self.eval(element)?, optional.contains(&at)) {
                        (Value::Optional(None), true) => {}
                        (Value::Optional(Some(value)), true) => items.push((*value).clone()),
                        (_, true) => return Err(Error::no_overload()),
                        (value, false) => items.push(value),
                    }
                }
                // Lists of constants are made once, before evaluation.
                self.spend(if constant && !elements.is_empty() { 0 } else { 10 })?;
                Ok(Value::list(items))
            }
            Kind::Map(entries) => {
                let mut made: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(entries.len());
                for entry in entries {
                    let key = self.eval(&entry.key)?;
                    let value = match (self.eval(&entry.value)?, entry.optional) {
                        (Value::Optional(None), true) => continue,
                        (Value::Optional(Some(value)), true) => (*value).clone(),
                        (_, true) => return Err(Error::no_overload()),
                        (value, false) => value,
                    };
                    made.retain(|(known, _)| !known.equals(&key));
                    made.push((key, value));
                }
                self.spend(30)?;
                Ok(Value::Map(Map::Made(Arc::new(made))))
            }
            Kind::Comprehension(comprehension) => self.comprehension(comprehension),
            Kind::Struct { .. } | Kind::Error => Err(Error::no_overload()),
        }
    }

    /// What a field or an element is taken of. A value that is no variable's part costs one more.
    fn operand(&mut self, operand: &'a Expr) -> Result<Value<'a>> {
        let value = self.eval(operand)?;
        let attribute = matches!(&operand.kind, Kind::Ident(_) | Kind::Select { .. })
            || matches!(&operand.kind, Kind::Call { function, .. } if **function == *operator::INDEX);
        if !attribute {
            self.spend(1)?;
        }
        Ok(value)
    }

    fn named(&self, name: &str) -> Result<Value<'a>> {
        let name = name.strip_prefix('.').unwrap_or(name);
        if let Some((_, value)) = self.scope.iter().rev().find(|(known, _)| **known == *name) {
            return Ok(value.clone());
        }
        let named = crate::declarations::type_named(name).map(Value::Type);
        named.ok_or_else(|| Error::new(format!("no such attribute(s): {name}")))
    }

    fn call(
        &mut self,
        expr: &'a Expr,
        function: &'a str,
        target: Option<&'a Expr>,
        arguments: &'a [Expr],
    ) -> Result<Value<'a>> {
        match (function, arguments) {
            (operator::AND, [left, right]) => return self.logic(left, right, false),
            (operator::OR, [left, right]) => return self.logic(left, right, true),
            (operator::CONDITIONAL, [condition, yes, no]) => {
                return match self.eval(condition)? {
                    Value::Bool(true) => self.eval(yes),
                    Value::Bool(false) => self.eval(no),
                    _ => Err(Error::no_overload()),
                };
            }
            (operator::NOT_STRICTLY_FALSE, [condition]) => {
                let value = self.eval(condition);
                self.spend(1)?;
                return match value {
                    Err(error) if error.cancelled => Err(error),
                    value => Ok(Value::Bool(!matches!(value, Ok(Value::Bool(false))))),
                };
            }
            (operator::INDEX, [of, index]) => {
                let of = self.operand(of)?;
                let index = self.eval(index)?;
                self.spend(1)?;
                return element(of, &index);
            }
            (operator::OPTIONAL_INDEX, [of, index]) => {
                let of = self.operand(of)?;
                let index = self.eval(index)?;
                self.spend(1)?;
                return optional_element(of, &index);
            }
            (operator::OPTIONAL_SELECT, [of, Expr { kind: Kind::Literal(Literal::String(field)), .. }]) => {
                let of = self.operand(of)?;
                self.spend(1)?;
                return optional_field(of, field);
            }
            ("or" | "orValue", [other]) => {
                if let Some(target) = target {
                    let value = self.eval(target)?;
                    self.spend(1)?;
                    return match (value, function) {
                        (Value::Optional(None), _) => self.eval(other),
                        (Value::Optional(Some(value)), "orValue") => Ok((*value).clone()),
                        (value @ Value::Optional(_), _) => Ok(value),
                        _ => Err(Error::no_overload()),
                    };
                }
            }
            _ => {}
        }
        let mut values = Vec::with_capacity(arguments.len() + 1);
        for argument in target.into_iter().chain(arguments) {
            values.push(self.eval(argument)?);
        }
        let overloads = self.checked.overloads(expr.id);
        let overload = if let [only] = overloads { only } else { "" };
        let member = target.is_some();
        let result = functions::call(function, member, &values, self.regexes.get(&expr.id));
        let cost = crate::cost::of_call(function, overload, &values, result.as_ref().ok());
        self.spend(cost)?;
        result
    }

    /// `&&` and `||`: an error on one side does not matter if the other side decides.
    fn logic(&mut self, left: &'a Expr, right: &'a Expr, deciding: bool) -> Result<Value<'a>> {
        let left = match self.eval(left) {
            Ok(Value::Bool(value)) if value == deciding => return Ok(Value::Bool(deciding)),
            Ok(Value::Bool(_)) => Ok(()),
            Ok(_) => Err(Error::no_overload()),
            Err(error) if error.cancelled => return Err(error),
            Err(error) => Err(error),
        };
        match self.eval(right) {
            Ok(Value::Bool(value)) if value == deciding => Ok(Value::Bool(deciding)),
            Err(error) if error.cancelled => Err(error),
            right => {
                left?;
                match right? {
                    Value::Bool(value) => Ok(Value::Bool(value)),
                    _ => Err(Error::no_overload()),
                }
            }
        }
    }

    fn comprehension(&mut self, comprehension: &'a Comprehension) -> Result<Value<'a>> {
        let Comprehension { range, variable, second, accumulator, initial, condition, step, result } = comprehension;
        let over = self.eval(range)?;
        let initial = self.eval(initial)?;
        let depth = self.scope.len();
        self.scope.push((accumulator.clone(), initial));
        let outcome = self.fold(&over, variable, second.as_ref(), depth, condition, step);
        let value = outcome.and_then(|()| {
            self.scope.truncate(depth + 1);
            self.eval(result)
        });
        self.scope.truncate(depth);
        value
    }

    fn fold(
        &mut self,
        over: &Value<'a>,
        variable: &Arc<str>,
        second: Option<&Arc<str>>,
        depth: usize,
        condition: &'a Expr,
        step: &'a Expr,
    ) -> Result<()> {
        let count = match over {
            Value::List(list) => list.len(),
            Value::Map(map) => map.len(),
            _ => return Err(Error::no_overload()),
        };
        let keys = if let Value::Map(map) = over { map.keys() } else { Vec::new() };
        // The accumulator of an error keeps it until a later step decides.
        let mut failed: Option<Error> = None;
        for at in 0..count {
            let (first, other) = match over {
                Value::List(list) => {
                    let item = list.get(at).unwrap_or(Ok(Value::Null))?;
                    if second.is_some() { (Value::Int(at as i64), Some(item)) } else { (item, None) }
                }
                Value::Map(map) => {
                    let key = keys.get(at).cloned().unwrap_or(Value::Null);
                    let other = match second {
                        Some(_) => Some(map.get(&key).unwrap_or(Ok(Value::Null))?),
                        None => None,
                    };
                    (key, other)
                }
                _ => return Err(Error::no_overload()),
            };
            self.scope.truncate(depth + 1);
            self.scope.push((variable.clone(), first));
            if let (Some(second), Some(other)) = (second, other) {
                self.scope.push((second.clone(), other));
            }
            if failed.is_none() {
                match self.eval(condition) {
                    Ok(Value::Bool(false)) => return Ok(()),
                    Err(error) if error.cancelled => return Err(error),
                    _ => {}
                }
            }
            match self.step(step, &failed) {
                Ok(value) => {
                    self.scope[depth].1 = value;
                    failed = None;
                }
                Err(error) if error.cancelled || !absorbs(step) => return Err(error),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// One step. While the accumulator is an error, `accumulator && x` and `accumulator || x` are that error unless `x`
    /// decides.
    fn step(&mut self, step: &'a Expr, failed: &Option<Error>) -> Result<Value<'a>> {
        let Some(error) = failed else { return self.eval(step) };
        let Kind::Call { function, arguments, .. } = &step.kind else { return Err(error.clone()) };
        let [_, term] = arguments.as_slice() else { return Err(error.clone()) };
        let deciding = **function == *operator::OR;
        match self.eval(term) {
            Ok(Value::Bool(value)) if value == deciding => Ok(Value::Bool(deciding)),
            Err(other) if other.cancelled => Err(other),
            _ => Err(error.clone()),
        }
    }
}

/// Whether a loop's step is one of `&&` or `||`, in which a later decision outweighs an error.
fn absorbs(step: &Expr) -> bool {
    matches!(&step.kind, Kind::Call { function, .. } if matches!(&**function, operator::AND | operator::OR))
}

fn constant(literal: &Literal) -> Value<'_> {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Int(value) => Value::Int(*value),
        Literal::Uint(value) => Value::Uint(*value),
        Literal::Double(value) => Value::Double(*value),
        Literal::String(text) => Value::String(Text::Borrowed(text)),
        Literal::Bytes(bytes) => Value::Bytes(bytes.clone()),
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

fn element<'a>(of: Value<'a>, index: &Value<'a>) -> Result<Value<'a>> {
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
        _ => Err(Error::no_overload()),
    }
}

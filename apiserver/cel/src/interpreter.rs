//! Evaluates a planned tree, and reckons what that costs.

mod attributes;
mod loops;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use regex::Regex;

use crate::ast::{Entry, Expr, Kind, Literal, operator};
use crate::checker::Checked;
use crate::functions;
use crate::value::{Text, Value};
use attributes::{begins_with_choice, is_attribute};
use loops::accumulates;

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
    variables: Vec<(Arc<str>, Result<Value<'a>>)>,
    limit: u64,
) -> (Result<Value<'a>>, u64) {
    let scope = variables.into_iter().map(|(name, value)| Slot { name, held: Held::Known(value) }).collect();
    let mut interpreter = Interpreter { checked, regexes, scope, cost: 0, limit };
    let value = interpreter.eval(&checked.ast.root);
    (value, interpreter.cost)
}

/// A variable of the scope.
struct Slot<'a> {
    name: Arc<str>,
    held: Held<'a>,
}

enum Held<'a> {
    /// Its value, or what went wrong when it was made.
    Known(Result<Value<'a>>),
    /// An accumulator that nobody has asked for yet.
    Initial(&'a Expr),
}

struct Interpreter<'a> {
    checked: &'a Checked,
    /// The patterns that stand in the expression, by their call.
    regexes: &'a HashMap<u32, Regex>,
    /// The innermost last.
    scope: Vec<Slot<'a>>,
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
            Kind::Constant(value) => Ok(value.clone()),
            Kind::Member { item, items } => {
                let item = self.eval(item)?;
                Ok(Value::Bool(items.get(&[&item]).is_some()))
            }
            Kind::Select { operand, field, test: true } => self.test(operand, field),
            Kind::Call { function, target, arguments } if !is_attribute(expr) => {
                self.call(expr, function, target.as_deref(), arguments)
            }
            // A chain of fields and elements costs one for each, and one for where it begins.
            Kind::Ident(_) | Kind::Select { .. } | Kind::Call { .. } => {
                let value = self.resolve(expr);
                if !begins_with_choice(expr) {
                    self.spend(1)?;
                }
                value
            }
            Kind::List { elements, optional } => {
                let list = self.list(elements, optional);
                self.spend(10)?;
                list
            }
            Kind::Map(entries) => {
                let map = self.map(entries);
                self.spend(30)?;
                map
            }
            Kind::Comprehension(comprehension) => self.comprehension(comprehension),
            Kind::Struct { .. } | Kind::Error => Err(Error::no_overload()),
        }
    }

    fn list(&mut self, elements: &'a [Expr], optional: &[usize]) -> Result<Value<'a>> {
        let mut items = Vec::with_capacity(elements.len());
        for (at, element) in elements.iter().enumerate() {
            match (self.eval(element)?, optional.contains(&at)) {
                (Value::Optional(None), true) => {}
                (Value::Optional(Some(value)), true) => items.push((*value).clone()),
                (_, true) => return Err(Error::no_overload()),
                (value, false) => items.push(value),
            }
        }
        Ok(Value::list(items))
    }

    fn map(&mut self, entries: &'a [Entry]) -> Result<Value<'a>> {
        let mut made = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = self.eval(&entry.key)?;
            let value = match (self.eval(&entry.value)?, entry.optional) {
                (Value::Optional(None), true) => continue,
                (Value::Optional(Some(value)), true) => (*value).clone(),
                (_, true) => return Err(Error::no_overload()),
                (value, false) => value,
            };
            made.push((key, value));
        }
        Ok(Value::Map(made.into_iter().collect()))
    }

    fn named(&mut self, name: &str) -> Result<Value<'a>> {
        let name = name.strip_prefix('.').unwrap_or(name);
        let Some(at) = self.scope.iter().rposition(|slot| *slot.name == *name) else {
            return Err(Error::new(format!("no such attribute(s): {name}")));
        };
        if let Held::Initial(initial) = self.scope[at].held {
            // It is made where its loop stands: what is inside of the loop is not seen.
            let inside = self.scope.split_off(at);
            let value = self.eval(initial);
            self.scope.extend(inside);
            self.scope[at].held = Held::Known(value);
        }
        match &self.scope[at].held {
            Held::Known(value) => value.clone(),
            Held::Initial(_) => Err(Error::no_overload()),
        }
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
            (operator::NOT_STRICTLY_FALSE, [condition]) => {
                let value = self.eval(condition);
                self.spend(1)?;
                return match value {
                    Err(error) if error.cancelled => Err(error),
                    value => Ok(Value::Bool(!matches!(value, Ok(Value::Bool(false))))),
                };
            }
            (operator::ADD | operator::MAP_INSERT, [held, rest @ ..]) if accumulates(held) => {
                return self.accumulate(function, held, rest);
            }
            ("or" | "orValue", [other]) => {
                if let Some(target) = target {
                    return match (self.eval(target)?, function) {
                        (Value::Optional(None), _) => self.eval(other),
                        (Value::Optional(Some(value)), "orValue") => Ok((*value).clone()),
                        (value, _) => Ok(value),
                    };
                }
            }
            _ => {}
        }
        let pattern = self.regexes.get(&expr.id);
        let count = arguments.len() + usize::from(target.is_some());
        // As upstream: a call of one or two values looks at all before it gives up, and costs.
        let gives_up = count > 2 || pattern.is_some();
        let mut values = Vec::with_capacity(count);
        let mut failed = None;
        for argument in target.into_iter().chain(arguments) {
            match self.eval(argument) {
                Ok(value) => values.push(value),
                Err(error) if gives_up || error.cancelled => return Err(error),
                Err(error) => {
                    values.push(Value::Null);
                    failed.get_or_insert(error);
                }
            }
        }
        let overloads = self.checked.overloads(expr.id);
        let overload = if let [only] = overloads { only } else { "" };
        let result = match failed {
            Some(error) => Err(error),
            None => functions::call(function, overload, target.is_some(), &values, pattern),
        };
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
}

pub(crate) fn constant(literal: &Literal) -> Value<'_> {
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

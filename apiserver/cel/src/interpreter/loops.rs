//! Macros' loops. Their lists and maps grow in place.

use super::attributes::element;
use super::{Error, Held, Interpreter, Result, Slot};
use crate::ast::{Comprehension, Expr, Kind};
use crate::functions;
use crate::parser::ACCUMULATOR;
use crate::value::Value;

impl<'a> Interpreter<'a> {
    pub(super) fn comprehension(&mut self, comprehension: &'a Comprehension) -> Result<Value<'a>> {
        let over = self.eval(&comprehension.range)?;
        let depth = self.scope.len();
        self.scope.push(Slot { name: comprehension.accumulator.clone(), held: Held::Initial(&comprehension.initial) });
        let outcome = self.fold(&over, comprehension, depth);
        self.scope.truncate(depth + 1);
        let value = outcome.and_then(|()| self.eval(&comprehension.result));
        self.scope.truncate(depth);
        value
    }

    /// Runs a loop, whose accumulator is at `depth` of the scope. A step's error is the accumulator's, which later steps
    /// may outweigh.
    fn fold(&mut self, over: &Value<'a>, of: &'a Comprehension, depth: usize) -> Result<()> {
        let two = of.second.is_some();
        let keys = match over {
            Value::List(_) => Vec::new(),
            Value::Map(map) => map.keys(),
            Value::Object(object, declared) => declared
                .fields()
                .filter(|field| object.contains_key(&field.name))
                .map(|field| Value::text(crate::decl_type::escape(&field.name).unwrap_or_default()))
                .collect(),
            other => {
                let found = go_type(other);
                return Err(Error::new(if two {
                    format!("unsupported comprehension range type: {found}")
                } else {
                    format!("got '{found}', expected iterable type")
                }));
            }
        };
        let count = if let Value::List(list) = over { list.len() } else { keys.len() };
        for at in 0..count {
            let (first, second) = if let Value::List(list) = over {
                let item = list.get(at).unwrap_or(Ok(Value::Null));
                if two { (Ok(Value::Int(at as i64)), Some(item)) } else { (item, None) }
            } else {
                let key = keys.get(at).cloned().unwrap_or(Value::Null);
                let value = two.then(|| element(over.clone(), &key));
                (Ok(key), value)
            };
            self.scope.truncate(depth + 1);
            self.scope.push(Slot { name: of.variable.clone(), held: Held::Known(first) });
            if let (Some(name), Some(value)) = (&of.second, second) {
                self.scope.push(Slot { name: name.clone(), held: Held::Known(value) });
            }
            match self.eval(&of.condition) {
                Ok(Value::Bool(false)) => return Ok(()),
                Err(error) if error.cancelled => return Err(error),
                _ => {}
            }
            let step = self.eval(&of.step);
            if let Err(error) = &step
                && error.cancelled
            {
                return step.map(drop);
            }
            self.scope[depth].held = Held::Known(step);
        }
        Ok(())
    }

    /// `accumulator + x`, or the accumulator with entries.
    pub(super) fn accumulate(&mut self, function: &str, held: &'a Expr, rest: &'a [Expr]) -> Result<Value<'a>> {
        let mut values = Vec::with_capacity(rest.len());
        // Taken first, as it comes first; what else there is cannot name it.
        let held = self.taken(held);
        if held.as_ref().is_err_and(|error| error.cancelled || rest.len() > 1) {
            return held;
        }
        for expr in rest {
            values.push(match self.eval(expr) {
                Err(error) if error.cancelled || rest.len() > 1 => return Err(error),
                value => value,
            });
        }
        self.spend(1)?;
        let held = held?;
        let values = values.into_iter().collect::<Result<Vec<_>>>()?;
        match (held, values.as_slice()) {
            (Value::List(held), [Value::List(added)]) => held.join(added).map(Value::List),
            (Value::Map(held), [key, value]) => functions::inserted(held.with(vec![(key.clone(), value.clone())])?),
            (Value::Map(held), [Value::Map(added)]) => functions::inserted(held.with(added.entries()?)?),
            (held, _) => {
                let all: Vec<_> = std::iter::once(held).chain(values).collect();
                functions::call(function, "", false, &all, None)
            }
        }
    }

    /// The accumulator of a macro's loop, which is about to be replaced: taken out, it can be changed in place.
    fn taken(&mut self, expr: &'a Expr) -> Result<Value<'a>> {
        let Kind::Ident(name) = &expr.kind else { return self.eval(expr) };
        let value = self.named(name);
        if let (Ok(_), Some(slot)) = (&value, self.scope.iter_mut().rev().find(|slot| slot.name == *name)) {
            slot.held = Held::Known(Ok(Value::Null));
        }
        self.spend(1)?;
        value
    }
}

/// Whether an expression is the accumulator of a macro's loop.
pub(super) fn accumulates(expr: &Expr) -> bool {
    matches!(&expr.kind, Kind::Ident(name) if **name == *ACCUMULATOR)
}

/// What cel-go's own types are called in Go.
fn go_type(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "types.Null",
        Value::Bool(_) => "types.Bool",
        Value::Int(_) => "types.Int",
        Value::Uint(_) => "types.Uint",
        Value::Double(_) => "types.Double",
        Value::String(_) => "types.String",
        Value::Bytes(_) => "types.Bytes",
        Value::Duration(_) => "types.Duration",
        Value::Timestamp(_) => "types.Timestamp",
        Value::Type(_) => "*types.Type",
        Value::Optional(_) => "*types.Optional",
        _ => "ref.Val",
    }
}

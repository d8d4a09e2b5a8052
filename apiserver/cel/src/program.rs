//! An expression made ready, and its evaluation.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use regex::Regex;
use serde_json::Value as Json;

use crate::ast::Id;
use crate::checker::{self, Checked};
use crate::decl_type::DeclType;
use crate::interpreter::{self, Error};
use crate::parser;
use crate::source;
use crate::types::Type;
use crate::value::Value;
use crate::{estimate, literals, plan};

/// As upstream: what one evaluation may cost.
pub const PER_CALL_LIMIT: u64 = 1_000_000;

/// What an expression may name, and the type of each.
#[derive(Clone, Debug, Default)]
pub struct Variables(Vec<Variable>);

#[derive(Clone, Debug)]
struct Variable {
    name: Arc<str>,
    decl: Arc<DeclType>,
    optional: bool,
}

impl Variables {
    /// One more.
    pub fn with(self, name: &str, decl: &Arc<DeclType>) -> Self {
        self.add(name, decl, false)
    }

    /// One more, of an optional type: it is `optional.none()` where no value is given.
    pub fn with_optional(self, name: &str, decl: &Arc<DeclType>) -> Self {
        self.add(name, decl, true)
    }

    fn add(mut self, name: &str, decl: &Arc<DeclType>, optional: bool) -> Self {
        self.0.push(Variable { name: name.into(), decl: decl.clone(), optional });
        self
    }
}

/// What an expression comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A rule's `bool`.
    Bool,
    /// A message's `string`.
    String,
}

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileError {
    /// It is wrong; cel-go's text of it, with the places.
    Invalid(String),
    /// It is right, but comes to another type.
    WrongType,
    /// It is right, but cannot be evaluated: a constant in it has no such conversion, or is no regular expression.
    Instantiation(String),
}

/// An expression made ready.
#[derive(Clone, Debug)]
pub struct Program {
    checked: Checked,
    regexes: HashMap<Id, Regex>,
    variables: Variables,
    cost: u64,
    uses: BTreeSet<Arc<str>>,
}

/// What an evaluation came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome<T> {
    /// The value, or why there is none.
    pub value: Result<T, Error>,
    /// What it cost.
    pub cost: u64,
}

impl Program {
    /// Makes `expression` ready.
    pub fn compile(expression: &str, variables: &Variables, wanted: Wanted) -> Result<Self, CompileError> {
        let invalid = |issues| CompileError::Invalid(source::display(expression, issues));
        let ast = parser::parse(expression).map_err(invalid)?;
        let declared = variables
            .0
            .iter()
            .map(|variable| {
                let of = variable.decl.to_type();
                (variable.name.clone(), if variable.optional { Type::optional(of) } else { of })
            })
            .collect();
        let mut checked = checker::check(ast, declared).map_err(invalid)?;
        let issues = literals::check(&checked);
        if !issues.is_empty() {
            return Err(invalid(issues));
        }
        let fits = match (checked.type_of(checked.ast.root.id), wanted) {
            (Type::Bool, Wanted::Bool) | (Type::String, Wanted::String) => true,
            // What is known only when it is evaluated is taken for a rule's answer.
            (Type::Dyn, Wanted::Bool) => true,
            _ => false,
        };
        if !fits {
            return Err(CompileError::WrongType);
        }
        let cost = estimate::most(&checked, variables.0.first().map(|first| &*first.decl));
        let uses = checked.ast.names();
        let regexes = plan::plan(&mut checked).map_err(CompileError::Instantiation)?;
        Ok(Self { checked, regexes, variables: variables.clone(), cost, uses })
    }

    /// The most that one evaluation may cost, as far as the schema bounds it.
    pub fn estimated_cost(&self) -> u64 {
        self.cost
    }

    /// Whether the expression names the variable.
    pub fn uses(&self, variable: &str) -> bool {
        self.uses.contains(variable)
    }

    /// The answer of a rule.
    pub fn test(&self, values: &[(&str, &Json)], limit: u64) -> Outcome<bool> {
        self.run(values, limit, |value| match value {
            Value::Bool(answer) => Ok(answer),
            _ => Err(Error::no_overload()),
        })
    }

    /// The text of a message.
    pub fn text(&self, values: &[(&str, &Json)], limit: u64) -> Outcome<String> {
        self.run(values, limit, |value| match value {
            Value::String(text) => Ok(text.to_string()),
            _ => Err(Error::no_overload()),
        })
    }

    fn run<T>(
        &self,
        values: &[(&str, &Json)],
        limit: u64,
        take: impl FnOnce(Value<'_>) -> Result<T, Error>,
    ) -> Outcome<T> {
        let mut bound = Vec::with_capacity(values.len());
        for Variable { name, decl, optional } in &self.variables.0 {
            let given = values.iter().find(|(known, _)| *known == &**name);
            let value = match given.map(|(_, json)| Value::of_json(json, decl)) {
                Some(value) if *optional => value.map(|value| Value::Optional(Some(Arc::new(value)))),
                Some(value) => value,
                None if *optional => Ok(Value::Optional(None)),
                None => continue,
            };
            bound.push((name.clone(), value));
        }
        let (value, cost) = interpreter::evaluate(&self.checked, &self.regexes, bound, limit);
        Outcome { value: value.and_then(take), cost }
    }
}

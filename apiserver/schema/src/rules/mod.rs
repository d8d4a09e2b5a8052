//! Rules in CEL (`x-kubernetes-validations`): made ready for the values of a schema, evaluated over an object
//! ([`evaluate`]), and checked when they are written into a CRD ([`definition`]).

pub(crate) mod definition;
mod evaluate;
mod field_path;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use apimachinery::field::{ErrorList, Path};
use cel::{CompileError, DeclType, Program, Variables, Wanted};
use serde_json::Value;

pub(crate) use evaluate::BUDGET;
pub use evaluate::Outcome;

/// The rules of a schema, made ready when they are first needed.
#[derive(Debug)]
pub(crate) struct Rules {
    /// The schema as JSON until the rules are ready: the tree of values takes ten times as much.
    schema: Mutex<Box<str>>,
    ready: OnceLock<Option<Validator>>,
}

impl Rules {
    /// Those of an `openAPIV3Schema`; `None` if it has none anywhere.
    pub(crate) fn of(schema: &Value) -> Option<Self> {
        has_rules(schema).then(|| Self { schema: Mutex::new(schema.to_string().into()), ready: OnceLock::new() })
    }

    /// The rules, made ready.
    fn validator(&self) -> Option<&Validator> {
        let ready = || {
            let text = std::mem::take(&mut *self.schema.lock().unwrap_or_else(PoisonError::into_inner));
            let schema = apimachinery::json::parse(text.as_bytes()).ok()?;
            let decl = DeclType::of_schema(&schema, SELF_TYPE, true);
            Validator::of(&schema, decl.as_ref())
        };
        self.ready.get_or_init(ready).as_ref()
    }
}

/// What the type of `self` is called in errors.
const SELF_TYPE: &str = "selfType";

fn has_rules(schema: &Value) -> bool {
    given_rules(schema).next().is_some()
        || properties(schema).any(|(_, property)| has_rules(property))
        || schema.get("items").is_some_and(has_rules)
        || schema.get("additionalProperties").is_some_and(has_rules)
}

fn given_rules(schema: &Value) -> impl Iterator<Item = &Value> {
    schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten()
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn text<'a>(schema: &'a Value, keyword: &str) -> &'a str {
    schema.get(keyword).and_then(Value::as_str).unwrap_or_default()
}

/// The rules of one value, and of what is in it.
#[derive(Debug)]
struct Validator {
    /// The value's type, shown where the value is not.
    schema_type: Box<str>,
    rules: Vec<Rule>,
    items: Option<Box<Validator>>,
    additional: Option<Box<Validator>>,
    properties: BTreeMap<Box<str>, Validator>,
    /// The keys that tell which item of an old list an item was, if any do.
    map_keys: Option<Vec<Box<str>>>,
}

/// One rule, made ready.
#[derive(Debug)]
struct Rule {
    program: Result<Program, String>,
    expression: Box<str>,
    message: Box<str>,
    message_program: Option<Program>,
    reason: Option<Box<str>>,
    /// Where the error is, below the value.
    field_path: Option<Box<str>>,
    uses_old: bool,
    optional_old: bool,
}

impl Rule {
    /// What a broken rule is told by, if it has no message: itself.
    fn shown(&self) -> &str {
        if self.message.is_empty() { self.expression.trim() } else { self.message.trim() }
    }
}

/// What is wrong with a default by the rules of its schema and of those below, within what is left of the `budget` of all
/// defaults; `None` when that is used up.
pub(crate) fn validate_default(
    schema: &Value,
    default: &Value,
    resource: bool,
    budget: &mut Option<u64>,
    path: &Path,
) -> ErrorList {
    if !has_rules(schema) {
        return ErrorList::new();
    }
    let decl = DeclType::of_schema(schema, SELF_TYPE, resource);
    let validator = Validator::of(schema, decl.as_ref());
    validator.map(|validator| evaluate::of_default(&validator, default, budget, path)).unwrap_or_default()
}

impl Validator {
    /// The rules of a schema whose values are declared as `decl`; `None` if there are none in it.
    fn of(schema: &Value, decl: Option<&Arc<DeclType>>) -> Option<Self> {
        let below = |schema: &Value| {
            // Only rules ask for a declaration, which takes a walk over all that is below.
            let decl = given_rules(schema).next().and_then(|_| {
                let embedded = schema.get("x-kubernetes-embedded-resource").and_then(Value::as_bool).unwrap_or(false);
                DeclType::of_schema(schema, SELF_TYPE, embedded)
            });
            Self::of(schema, decl.as_ref())
        };
        let rules: Vec<Rule> = given_rules(schema).filter_map(|rule| ready(rule, schema, decl)).collect();
        let properties: BTreeMap<Box<str>, Validator> =
            properties(schema).filter_map(|(name, property)| Some((name.as_str().into(), below(property)?))).collect();
        let items = schema.get("items").and_then(below).map(Box::new);
        let additional = schema.get("additionalProperties").filter(|of| of.is_object()).and_then(below).map(Box::new);
        if rules.is_empty() && properties.is_empty() && items.is_none() && additional.is_none() {
            return None;
        }
        let is_map = text(schema, "x-kubernetes-list-type") == "map";
        let map_keys = is_map.then(|| {
            let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
            keys.into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect()
        });
        Some(Self { schema_type: text(schema, "type").into(), rules, items, additional, properties, map_keys })
    }
}

fn ready(rule: &Value, schema: &Value, decl: Option<&Arc<DeclType>>) -> Option<Rule> {
    let expression = text(rule, "rule");
    if expression.trim().is_empty() {
        return None;
    }
    let optional_old = rule.get("optionalOldSelf").and_then(Value::as_bool).unwrap_or(false);
    let compiled = decl.map(|decl| compile(expression, &variables(decl, optional_old), Wanted::Bool));
    let program = compiled.unwrap_or_else(|| Err("failed to convert to declType for CEL validation rules".to_owned()));
    let message_expression = text(rule, "messageExpression");
    let message_program = decl
        .filter(|_| !message_expression.is_empty())
        .and_then(|decl| compile(message_expression, &variables(decl, optional_old), Wanted::String).ok());
    Some(Rule {
        uses_old: program.as_ref().is_ok_and(|program| program.uses("oldSelf")),
        program,
        expression: expression.into(),
        message: text(rule, "message").into(),
        message_program,
        reason: rule.get("reason").and_then(Value::as_str).map(Into::into),
        field_path: field_path::of(text(rule, "fieldPath"), schema).map(Into::into),
        optional_old,
    })
}

/// `self` and `oldSelf`, both of the declaration.
fn variables(decl: &Arc<DeclType>, optional_old: bool) -> Variables {
    let variables = Variables::default().with("self", decl);
    if optional_old { variables.with_optional("oldSelf", decl) } else { variables.with("oldSelf", decl) }
}

/// Makes an expression ready; what is wrong with it in upstream's words.
fn compile(expression: &str, variables: &Variables, wanted: Wanted) -> Result<Program, String> {
    Program::compile(expression, variables, wanted).map_err(|error| match (error, wanted) {
        (CompileError::Invalid(issues), Wanted::Bool) => format!("compilation failed: {issues}"),
        (CompileError::Invalid(issues), Wanted::String) => format!("messageExpression compilation failed: {issues}"),
        (CompileError::Instantiation(why), Wanted::Bool) => format!("program instantiation failed: {why}"),
        (CompileError::Instantiation(why), Wanted::String) => format!("messageExpression instantiation failed: {why}"),
        (CompileError::WrongType, Wanted::Bool) => "cel expression must evaluate to a bool".to_owned(),
        (CompileError::WrongType, Wanted::String) => "messageExpression must evaluate to a string".to_owned(),
    })
}

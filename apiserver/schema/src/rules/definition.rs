//! Rules as they are written into a CRD: what is wrong with them, and what they may cost.

use std::sync::Arc;

use apimachinery::field::{BadValue, Error, ErrorList, Path};
use cel::{DeclType, Wanted};
use serde::Serialize;
use serde_json::{Map, Value};

pub use super::field_path::find as field_at;
use super::{SELF_TYPE, compile, given_rules, text, variables};

/// As upstream: what one rule may cost over all values it is evaluated for.
const RULE_LIMIT: u64 = 10_000_000;

/// As upstream: what all rules of a schema may cost together.
const SCHEMA_LIMIT: u64 = 100_000_000;

/// A rule as upstream's errors show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown<'a> {
    rule: &'a str,
    message: &'a str,
    message_expression: &'a str,
    reason: Option<&'a str>,
    field_path: &'a str,
    optional_old_self: Option<bool>,
}

fn shown(rule: &Value) -> BadValue {
    BadValue::rendered(&Shown {
        rule: text(rule, "rule"),
        message: text(rule, "message"),
        message_expression: text(rule, "messageExpression"),
        reason: rule.get("reason").and_then(Value::as_str),
        field_path: text(rule, "fieldPath"),
        optional_old_self: rule.get("optionalOldSelf").and_then(Value::as_bool),
    })
}

/// What the rules of a schema cost together.
#[derive(Default)]
pub(crate) struct Costs {
    total: u64,
    /// The dearest expressions, those of a hundredth of the limit and more.
    dearest: Vec<(Path, u64)>,
}

impl Costs {
    /// What is wrong with the sum, for the whole schema at `path`.
    pub(crate) fn validate(&self, path: &Path) -> ErrorList {
        if self.total <= SCHEMA_LIMIT {
            return ErrorList::new();
        }
        let contributed = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
        let mut errors: ErrorList = self.dearest.iter().map(|(at, _)| Error::forbidden(at, contributed)).collect();
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        errors.push(Error::forbidden(path, too_dear(what, self.total, SCHEMA_LIMIT)));
        errors
    }

    fn note(&mut self, at: &Path, cost: u64) {
        self.total = self.total.saturating_add(cost);
        if cost >= SCHEMA_LIMIT / 100 {
            self.dearest.push((at.clone(), cost));
            self.dearest.sort_by(|(_, a), (_, b)| b.cmp(a));
            self.dearest.truncate(4);
        }
    }
}

/// Where the schema stands whose rules are checked.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// How often a value of it can be in an object, if the schemas around it bound that.
    pub most: Option<u64>,
    /// The list or map around it whose old and new values are not matched.
    pub uncorrelated: Option<&'a Path>,
    /// Its values are whole objects.
    pub resource: bool,
    /// What one rule costs is limited.
    pub limited: bool,
}

/// How often what is below a schema can be in an object, if that is `most` for its own values.
pub(crate) fn below(schema: &Map<String, Value>, most: Option<u64>) -> Option<u64> {
    let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_i64).map(|max| max.max(0) as u64);
    let times = match schema.get("type").and_then(Value::as_str) {
        Some("object") if schema.get("additionalProperties").is_some_and(|of| !of.is_null()) => limit("maxProperties"),
        Some("array") => limit("maxItems"),
        _ => Some(1),
    };
    most.zip(times).map(|(most, times)| most.saturating_mul(times))
}

/// Checks a schema's own rules: they compile, and cost no more than they may.
pub(crate) fn validate(schema: &Value, path: &Path, place: Place<'_>, costs: &mut Costs, errors: &mut ErrorList) {
    let at = path.child("x-kubernetes-validations");
    let Some(decl) = DeclType::of_schema(schema, SELF_TYPE, place.resource) else {
        let why = "internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations";
        errors.push(Error::internal(&at, why));
        return;
    };
    let mut check = Check { place, decl, costs, errors };
    for (index, rule) in given_rules(schema).enumerate() {
        check.rule(rule, &at.index(index));
    }
}

struct Check<'a> {
    place: Place<'a>,
    decl: Arc<DeclType>,
    costs: &'a mut Costs,
    errors: &'a mut ErrorList,
}

impl Check<'_> {
    fn rule(&mut self, rule: &Value, at: &Path) {
        let given = rule.get("optionalOldSelf").and_then(Value::as_bool);
        let variables = variables(&self.decl, given.unwrap_or(false));
        let at_rule = at.child("rule");
        let program = match compile(text(rule, "rule"), &variables, Wanted::Bool) {
            Ok(program) => program,
            Err(why) => {
                self.errors.push(Error::invalid(&at_rule, shown(rule), why));
                if let Some(given) = given {
                    self.unused_old(at, given);
                }
                return;
            }
        };
        let times = self.place.most.unwrap_or_else(|| self.decl.max_cardinality());
        self.cost("estimated rule cost", &at_rule, program.estimated_cost().saturating_mul(times));
        let message = text(rule, "messageExpression");
        if !message.is_empty() {
            let at_message = at.child("messageExpression");
            match compile(message, &variables, Wanted::String) {
                Ok(made) => self.cost("estimated messageExpression cost", &at_message, made.estimated_cost()),
                Err(why) => self.errors.push(Error::invalid(&at_message, shown(rule), why)),
            }
        }
        if !program.uses("oldSelf") {
            if let Some(given) = given {
                self.unused_old(at, given);
            }
        } else if let Some(uncorrelated) = self.place.uncorrelated {
            let detail =
                format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {uncorrelated}");
            self.errors.push(Error::invalid(&at_rule, text(rule, "rule"), detail));
        }
    }

    fn unused_old(&mut self, at: &Path, given: bool) {
        let detail = "may not be set if oldSelf is not used in rule";
        self.errors.push(Error::invalid(&at.child("optionalOldSelf"), given, detail));
    }

    fn cost(&mut self, what: &str, at: &Path, cost: u64) {
        if self.place.limited && cost > RULE_LIMIT {
            self.errors.push(Error::forbidden(at, too_dear(what, cost, RULE_LIMIT)));
        }
        self.costs.note(at, cost);
    }
}

fn too_dear(what: &str, cost: u64, limit: u64) -> String {
    let factor = cost as f64 / limit as f64;
    let factor = if factor > 100.0 {
        "more than 100x".to_owned()
    } else if factor < 1.5 {
        // So that none is said to be 1.0 times the limit.
        format!("{factor:.6}x")
    } else {
        format!("{factor:.1}x")
    };
    format!(
        "{what} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
    )
}

//! Rules as they are written into a CRD: what is wrong with them, and what they may cost.

use std::sync::Arc;

use apimachinery::field::{BadValue, Error, ErrorList, Path};
use cel::{DeclType, Wanted};
use serde::Serialize;
use serde_json::Value;

use super::{SELF_TYPE, Validator, compile, evaluate, field_path, given_rules, has_rules, properties, text, variables};

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

/// Checks the rules of a schema that is right in all else: they compile, and cost no more than they may.
pub(crate) fn validate(schema: &Value, path: &Path) -> ErrorList {
    let mut check = Check { errors: ErrorList::new(), total: 0, dearest: Vec::new() };
    check.visit(schema, path, Some(1), None, true);
    let Check { mut errors, total, dearest } = check;
    if total > SCHEMA_LIMIT {
        let contributed = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
        errors.extend(dearest.iter().map(|(at, _)| Error::forbidden(at, contributed)));
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        errors.push(Error::forbidden(path, too_dear(what, total, SCHEMA_LIMIT)));
    }
    errors
}

/// Whether the `fieldPath` of a rule leads to a field of the schema that has the rule.
pub(crate) fn is_field_path(path: &str, schema: &Value) -> bool {
    field_path::is_valid(path, schema)
}

struct Check {
    errors: ErrorList,
    total: u64,
    /// The dearest expressions, those of a hundredth of the limit and more.
    dearest: Vec<(Path, u64)>,
}

impl Check {
    /// `most` is how often a value of the schema can be in an object, if the schemas around it bound that;
    /// `uncorrelated` the list or map around it whose old and new values are not matched.
    fn visit(&mut self, schema: &Value, path: &Path, most: Option<u64>, uncorrelated: Option<&Path>, root: bool) {
        let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_i64).map(|max| max.max(0) as u64);
        let times = match text(schema, "type") {
            "object" if schema.get("additionalProperties").is_some_and(|of| !of.is_null()) => limit("maxProperties"),
            "array" => limit("maxItems"),
            _ => Some(1),
        };
        let below = most.zip(times).map(|(most, times)| most.saturating_mul(times));
        let map_correlates = matches!(text(schema, "x-kubernetes-map-type"), "" | "granular" | "atomic");
        let in_map = if map_correlates { uncorrelated } else { Some(path) };
        if let Some(values) = schema.get("additionalProperties").filter(|of| of.is_object()) {
            self.visit(values, &path.child("additionalProperties"), below, in_map, false);
        }
        for (name, property) in properties(schema) {
            self.visit(property, &path.child("properties").key(name), below, in_map, false);
        }
        if let Some(items) = schema.get("items").filter(|of| of.is_object()) {
            let correlates = text(schema, "x-kubernetes-list-type") == "map";
            self.visit(items, &path.child("items"), below, if correlates { uncorrelated } else { Some(path) }, false);
        }
        let default = schema.get("default").filter(|default| !default.is_null());
        if given_rules(schema).next().is_none() && (default.is_none() || !has_rules(schema)) {
            return;
        }
        let at = path.child("x-kubernetes-validations");
        let embedded = schema.get("x-kubernetes-embedded-resource").and_then(Value::as_bool).unwrap_or(false);
        let Some(decl) = DeclType::of_schema(schema, SELF_TYPE, root || embedded) else {
            let why = "internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations";
            self.errors.push(Error::internal(&at, why));
            return;
        };
        for (index, rule) in given_rules(schema).enumerate() {
            self.rule(rule, &at.index(index), &decl, most, uncorrelated);
        }
        if let Some(default) = default
            && let Some(validator) = Validator::of(schema, Some(&decl))
        {
            self.errors.extend(evaluate::of_default(&validator, default, &path.child("default")));
        }
    }

    fn rule(&mut self, rule: &Value, at: &Path, decl: &Arc<DeclType>, most: Option<u64>, uncorrelated: Option<&Path>) {
        if text(rule, "rule").trim().is_empty() {
            // That there is none is told of where keywords are checked.
            return;
        }
        let given = rule.get("optionalOldSelf").and_then(Value::as_bool);
        let variables = variables(decl, given.unwrap_or(false));
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
        let times = most.unwrap_or_else(|| decl.max_cardinality());
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
        } else if let Some(uncorrelated) = uncorrelated {
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
        if cost > RULE_LIMIT {
            self.errors.push(Error::forbidden(at, too_dear(what, cost, RULE_LIMIT)));
        }
        self.total = self.total.saturating_add(cost);
        if cost >= SCHEMA_LIMIT / 100 {
            self.dearest.push((at.clone(), cost));
            self.dearest.sort_by(|(_, a), (_, b)| b.cmp(a));
            self.dearest.truncate(4);
        }
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

//! Keywords that CRDs may not use, and those that must go together.

use apimachinery::field::{Error, ErrorList, Path};
use serde_json::Value;

use super::{Checks, Raw, is_given, is_true, lists, properties, schema_in, schemas_in, structural, text};
use crate::prune::META_FIELDS;
use crate::rules::definition::{self, Costs, Place};

pub(super) const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
const REASONS: [&str; 4] = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

/// Where a schema stands.
#[derive(Clone, Copy, Default)]
struct Context<'a> {
    root: bool,
    inside_metadata: bool,
    /// Why there may be no default here.
    no_default: Option<&'a str>,
    /// The list or map around it whose old and new values are not matched.
    uncorrelated: Option<&'a Path>,
    /// Whether its rules are looked at, and how often a value of it can be in an object, if the schemas around it bound that.
    rules: Option<Option<u64>>,
}

/// What is wrong with a schema's keywords and rules.
#[derive(Default)]
pub(super) struct Found {
    pub schema: ErrorList,
    pub rules: ErrorList,
    pub costs: Costs,
}

/// Checks the keywords, and the rules (where `rules` says so) of the schemas in which nothing else is wrong: they are not
/// always such that rules can be understood.
pub(super) fn validate(schema: &Value, path: &Path, checks: &Checks, rules: bool) -> Found {
    let mut walk = Walk { checks, found: Found::default() };
    walk.visit(schema, path, Context { root: true, rules: rules.then_some(Some(1)), ..Context::default() });
    walk.found
}

struct Walk<'a> {
    checks: &'a Checks,
    found: Found,
}

impl Walk<'_> {
    fn visit(&mut self, value: &Value, path: &Path, context: Context<'_>) {
        let Some(schema) = value.as_object() else { return };
        let right_so_far = self.found.schema.len();
        unsupported(schema, path, context, self.checks, &mut self.found.schema);
        if is_true(schema, "uniqueItems") {
            let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            self.found.schema.push(Error::forbidden(&path.child("uniqueItems"), detail));
        }
        self.children(schema, path, context);
        let errors = &mut self.found.schema;
        if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
            let at = path.child("x-kubernetes-preserve-unknown-fields");
            errors.push(Error::invalid(&at, false, "must be true or undefined"));
        }
        lists::map_type(schema, path, errors);
        lists::list_type(schema, path, self.checks, errors);
        rules(value, schema, path, errors);
        if let Some(most) = context.rules
            && errors.len() == right_so_far
            && is_given(schema, "x-kubernetes-validations")
        {
            let resource = context.root || is_true(schema, "x-kubernetes-embedded-resource");
            let place = Place { most, uncorrelated: context.uncorrelated, resource, limited: self.checks.rule_costs };
            definition::validate(value, path, place, &mut self.found.costs, &mut self.found.rules);
        }
    }

    fn children(&mut self, schema: &Raw, path: &Path, context: Context<'_>) {
        // How often a value is in the object is known below of what is bounded alone.
        let below =
            Context { root: false, rules: context.rules.map(|most| definition::below(schema, most)), ..context };
        let without_rules = Context { rules: None, ..below };
        let forbid_old = |correlates: bool| if correlates { None } else { Some(path) };
        if let Some(additional) = schema.get("additionalProperties").filter(|v| !v.is_null()) {
            let at = path.child("additionalProperties");
            if properties(schema).next().is_some() && additional != &Value::Bool(true) {
                let detail = "additionalProperties and properties are mutual exclusive";
                self.found.schema.push(Error::forbidden(&at, detail));
            }
            let inside = "inside additionalProperties applying to object metadata";
            let no_default = if context.inside_metadata { Some(inside) } else { context.no_default };
            self.visit(additional, &at, Context { no_default, ..below });
        }
        let embedded = is_true(schema, "x-kubernetes-embedded-resource");
        let correlates = matches!(text(schema, "x-kubernetes-map-type"), "" | "granular" | "atomic");
        let of_property = Context { uncorrelated: context.uncorrelated.or(forbid_old(correlates)), ..below };
        for (name, property) in schema_in(schema, "properties").into_iter().flatten() {
            let at = path.child("properties").key(name);
            if (context.root || embedded) && META_FIELDS.contains(&name.as_str()) {
                let reason = format!("in top-level {name}");
                let no_default = if context.root { Some(reason.as_str()) } else { context.no_default };
                self.visit(property, &at, Context { inside_metadata: true, no_default, ..of_property });
            } else {
                self.visit(property, &at, of_property);
            }
        }
        if let Some(branch) = schema.get("not") {
            self.visit(branch, &path.child("not"), without_rules);
        }
        for keyword in ["allOf", "oneOf", "anyOf"] {
            for (index, branch) in schema.get(keyword).and_then(Value::as_array).into_iter().flatten().enumerate() {
                self.visit(branch, &path.child(keyword).index(index), without_rules);
            }
        }
        self.named("definitions", schema, path, without_rules);
        let correlates = text(schema, "x-kubernetes-list-type") == "map";
        let of_items = Context { uncorrelated: context.uncorrelated.or(forbid_old(correlates)), ..below };
        match schema.get("items") {
            Some(Value::Array(list)) => {
                for (index, items) in list.iter().enumerate() {
                    self.visit(items, &path.child("items").index(index), of_items);
                }
            }
            Some(items) => self.visit(items, &path.child("items"), of_items),
            None => {}
        }
        self.named("dependencies", schema, path, without_rules);
    }

    fn named(&mut self, keyword: &str, schema: &Raw, path: &Path, context: Context<'_>) {
        for (name, schema) in schema_in(schema, keyword).into_iter().flatten() {
            self.visit(schema, &path.child(keyword).key(name), context);
        }
    }
}

fn unsupported(schema: &Raw, path: &Path, context: Context<'_>, checks: &Checks, errors: &mut ErrorList) {
    let kind = text(schema, "type");
    if checks.types && !kind.is_empty() && !TYPES.contains(&kind) {
        errors.push(Error::not_supported(&path.child("type"), kind, &TYPES));
    }
    if let Some(reason) = context.no_default.filter(|_| schema.get("default").is_some_and(|v| !v.is_null())) {
        errors.push(Error::forbidden(&path.child("default"), format!("must not be set {reason}")));
    }
    for keyword in ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"] {
        let set = match keyword {
            "additionalItems" | "dependencies" | "$ref" => schema.get(keyword).is_some_and(|v| !v.is_null()),
            _ => is_given(schema, keyword),
        };
        if set {
            errors.push(Error::forbidden(&path.child(keyword), format!("{keyword} is not supported")));
        }
    }
    if kind == "null" {
        let detail = "type cannot be set to null, use nullable as an alternative";
        errors.push(Error::forbidden(&path.child("type"), detail));
    }
    if schema.get("items").and_then(Value::as_array).is_some_and(|list| !list.is_empty()) {
        errors.push(Error::forbidden(&path.child("items"), "items must be a schema object and not an array"));
    }
    if context.inside_metadata && is_true(schema, "x-kubernetes-embedded-resource") {
        let at = path.child("x-kubernetes-embedded-resource");
        errors.push(Error::forbidden(&at, "must not be used inside of resource meta"));
    }
}

/// The form of rules; what they say is looked at when all else is right.
fn rules(value: &Value, schema: &Raw, path: &Path, errors: &mut ErrorList) {
    for (index, rule) in schemas_in(schema, "x-kubernetes-validations").enumerate() {
        let at = path.child("x-kubernetes-validations").index(index);
        let (expression, message) = (text(rule, "rule").trim(), text(rule, "message"));
        let breaks = |text: &str| text.contains(['\n', '\r']);
        if expression.is_empty() {
            errors.push(Error::required(&at.child("rule"), "rule is not specified"));
        } else if !message.is_empty() && message.trim().is_empty() {
            errors.push(Error::invalid(&at.child("message"), message, "must be non-empty if specified"));
        } else if breaks(message.trim()) {
            errors.push(Error::invalid(&at.child("message"), message, "must not contain line breaks"));
        } else if breaks(expression) && message.trim().is_empty() {
            let detail = "message must be specified if rule contains line breaks";
            errors.push(Error::required(&at.child("message"), detail));
        }
        let message_expression = text(rule, "messageExpression");
        if !message_expression.is_empty() && message_expression.trim().is_empty() {
            let detail = "messageExpression must be non-empty if specified";
            errors.push(Error::required(&at.child("messageExpression"), detail));
        }
        if let Some(reason) = rule.get("reason").and_then(Value::as_str).filter(|r| !REASONS.contains(r)) {
            errors.push(Error::not_supported(&at.child("reason"), reason, &REASONS));
        }
        let field_path = text(rule, "fieldPath");
        if !field_path.is_empty() && field_path.trim().is_empty() {
            errors.push(Error::invalid(&at.child("fieldPath"), field_path, "must be non-empty if specified"));
        }
        if breaks(field_path) {
            errors.push(Error::invalid(&at.child("fieldPath"), field_path, "must not contain line breaks"));
        }
        if !field_path.is_empty()
            && structural::unsupported(schema).is_none()
            && definition::field_at(field_path, value, true).is_err()
        {
            errors.push(Error::invalid(&at.child("fieldPath"), field_path, "must be a valid path"));
        }
    }
}

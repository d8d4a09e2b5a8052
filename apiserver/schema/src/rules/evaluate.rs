//! Evaluates the rules of an object, in upstream's order and words, within its budget.

use apimachinery::field::{BadValue, Error, ErrorList, Path};
use cel::PER_CALL_LIMIT;
use serde_json::Value;

use super::{Rule, Rules, Validator};
use crate::correlation::Correlated;
use crate::map_list::MapList;
use crate::node::Node;

/// As upstream: what all rules over one object may cost together.
pub(crate) const BUDGET: u64 = 10_000_000;

/// As upstream: the longest message that an expression may make, in bytes.
const MAX_MESSAGE: usize = 5 * 1024;

/// What the rules say of an object.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The rules it breaks.
    pub errors: ErrorList,
    /// The rules that a part of it breaks which is as it was before (ratcheting): upstream warns of them.
    pub warnings: Vec<String>,
}

impl Rules {
    /// Evaluates the rules over `value`, of the schema `root`, which was `old` before.
    pub(crate) fn evaluate(&self, root: &Node, value: &Value, old: Option<&Value>) -> Outcome {
        let mut evaluation = Evaluation { outcome: Outcome::default(), budget: Some(BUDGET) };
        if let Some(validator) = self.validator() {
            let known = Before { same: old.map(|old| Correlated::of(root, value, old)), parent: None, root: true };
            evaluation.visit(validator, &mut Path::default(), value, old, known);
        }
        evaluation.outcome
    }
}

/// What is wrong with a default by the rules of its schema and of those below.
pub(super) fn of_default(validator: &Validator, default: &Value, budget: &mut Option<u64>, path: &Path) -> ErrorList {
    let known = Before { same: None, parent: None, root: false };
    let mut left = *budget;
    // As upstream: first as what does not change, then as what is new.
    for old in [Some(default), None] {
        let mut evaluation = Evaluation { outcome: Outcome::default(), budget: *budget };
        evaluation.visit(validator, &mut path.clone(), default, old, known);
        left = left.min(evaluation.budget);
        if !evaluation.outcome.errors.is_empty() || old.is_none() {
            *budget = left;
            return evaluation.outcome.errors;
        }
    }
    ErrorList::new()
}

/// What a part of the object was before.
#[derive(Clone, Copy)]
struct Before<'a> {
    same: Option<Correlated<'a>>,
    /// The nearest part around it of which that is known.
    parent: Option<Correlated<'a>>,
    root: bool,
}

impl<'a> Before<'a> {
    fn below(self, child: Option<Correlated<'a>>) -> Self {
        match self.same {
            None => self,
            same => Self { same: child, parent: same, root: false },
        }
    }

    fn is_unchanged(self) -> bool {
        self.same.or(self.parent).is_some_and(Correlated::is_unchanged)
    }
}

struct Evaluation {
    outcome: Outcome,
    /// What may still be spent; `None` when it ran out and nothing more is evaluated.
    budget: Option<u64>,
}

impl Evaluation {
    fn visit(&mut self, validator: &Validator, path: &mut Path, value: &Value, old: Option<&Value>, known: Before<'_>) {
        if value.is_null() || self.budget.is_none() {
            return;
        }
        self.rules(validator, path, value, old.filter(|old| !old.is_null()), known);
        match value {
            Value::Object(entries) => {
                let old_entries = old.and_then(Value::as_object);
                for (name, value) in entries {
                    let (inner, mark) = match (validator.properties.get(name.as_str()), &validator.additional) {
                        (Some(property), _) => (property, path.enter(name)),
                        (None, Some(additional)) => (&**additional, path.enter_key(name)),
                        (None, None) => continue,
                    };
                    let old = old_entries.and_then(|old| old.get(name));
                    // The type of the whole object is not seen before and after its conversion.
                    let below = if known.root && matches!(name.as_str(), "apiVersion" | "kind") {
                        Before { same: None, parent: None, root: false }
                    } else {
                        known.below(known.same.and_then(|same| same.field(name)))
                    };
                    self.visit(inner, path, value, old, below);
                    path.leave(mark);
                }
            }
            Value::Array(items) => {
                let Some(inner) = &validator.items else { return };
                let mut before = MapList::of(old, validator.map_keys.as_deref().unwrap_or_default());
                let mut same = known.same.map(Correlated::items);
                for (at, item) in items.iter().enumerate() {
                    let old = before.get(item);
                    let mark = path.enter_index(at);
                    self.visit(inner, path, item, old, known.below(same.as_mut().and_then(|same| same.get(item))));
                    path.leave(mark);
                }
            }
            _ => {}
        }
    }

    fn rules(&mut self, validator: &Validator, path: &Path, value: &Value, old: Option<&Value>, known: Before<'_>) {
        let shown = || BadValue::from(validator.schema_type.to_string());
        for rule in &validator.rules {
            let Some(budget) = self.budget else { return };
            if budget == 0 {
                let detail =
                    "validation failed due to running out of cost budget, no further validation rules will be run";
                self.outcome.errors.push(Error::invalid(path, shown(), detail));
                self.budget = None;
                return;
            }
            let program = match &rule.program {
                Ok(program) => program,
                Err(why) => {
                    let detail = format!("rule compile error: {why}");
                    self.outcome.errors.push(Error::invalid(path, shown(), detail));
                    continue;
                }
            };
            if rule.uses_old && old.is_none() && !rule.optional_old {
                continue;
            }
            let mut values = vec![("self", value)];
            values.extend(old.map(|old| ("oldSelf", old)));
            let answer = program.test(&values, PER_CALL_LIMIT);
            let Some(left) = budget.checked_sub(answer.cost) else {
                let detail =
                    "validation failed due to running out of cost budget, no further validation rules will be run";
                self.outcome.errors.push(Error::invalid(path, shown(), detail));
                self.budget = None;
                return;
            };
            self.budget = Some(left);
            match answer.value {
                Ok(true) => {}
                Ok(false) => self.broken(rule, validator, path, &values, known),
                Err(error) => {
                    let rule = rule.shown();
                    let detail = if error.cancelled {
                        self.budget = None;
                        format!(
                            "'{error}': no further validation rules will be run due to call cost exceeds limit for rule: {rule}"
                        )
                    } else if error.message.starts_with("no such overload") {
                        format!(
                            "'{error}': call arguments did not match a supported operator, function or macro signature for rule: {rule}"
                        )
                    } else {
                        format!("{error} evaluating rule: {rule}")
                    };
                    self.outcome.errors.push(Error::invalid(path, shown(), detail));
                }
            }
        }
    }

    /// A rule that does not hold: an error, or a warning if what it is about has not changed.
    fn broken(
        &mut self,
        rule: &Rule,
        validator: &Validator,
        path: &Path,
        values: &[(&str, &Value)],
        known: Before<'_>,
    ) {
        let at = match &rule.field_path {
            Some(below) => path.child(below),
            None => path.clone(),
        };
        let detail = match self.message(rule, values) {
            Ok(detail) => detail,
            Err(stopped) => {
                self.add(Error::invalid(&at, BadValue::from(validator.schema_type.to_string()), stopped), rule, known);
                self.budget = None;
                return;
            }
        };
        let value = || match &*validator.schema_type {
            "object" | "array" => BadValue::Omitted,
            _ => values.first().map_or(BadValue::Omitted, |(_, value)| BadValue::Value((*value).clone())),
        };
        let error = match rule.reason.as_deref() {
            Some("FieldValueForbidden") => Error::forbidden(&at, detail),
            Some("FieldValueRequired") => Error::required(&at, detail),
            Some("FieldValueDuplicate") => Error::duplicate(&at, value()),
            _ => Error::invalid(&at, value(), detail),
        };
        self.add(error, rule, known);
    }

    fn add(&mut self, error: Error, rule: &Rule, known: Before<'_>) {
        if !rule.uses_old && known.is_unchanged() {
            self.outcome.warnings.push(error.to_string());
        } else {
            self.outcome.errors.push(error);
        }
    }

    /// The rule's message; the one that its expression makes, if it makes one. `Err` says why nothing more is evaluated.
    fn message(&mut self, rule: &Rule, values: &[(&str, &Value)]) -> Result<String, String> {
        let plain =
            || if rule.message.is_empty() { format!("failed rule: {}", rule.shown()) } else { rule.shown().to_owned() };
        let (Some(program), Some(budget)) = (&rule.message_program, self.budget) else { return Ok(plain()) };
        let made = program.text(values, PER_CALL_LIMIT);
        let Some(left) = budget.checked_sub(made.cost) else {
            return Err("messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run".to_owned());
        };
        self.budget = Some(left);
        Ok(match made.value {
            Ok(message) => {
                let message = message.trim();
                let usable = !message.is_empty() && message.len() <= MAX_MESSAGE && !message.contains('\n');
                if usable { message.to_owned() } else { plain() }
            }
            Err(error) if error.cancelled => {
                return Err(
                    "no further validation rules will be run due to call cost exceeds limit for messageExpression"
                        .to_owned(),
                );
            }
            Err(_) => plain(),
        })
    }
}

//! Conditions of a CustomResourceDefinition.

use serde_json::{Value, json};

/// A condition as it should be; when it last changed follows from what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    kind: &'static str,
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

impl Condition {
    /// The condition `kind`, of which is known whether it holds.
    pub fn new(kind: &'static str, holds: bool, reason: &str, message: &str) -> Self {
        let status = if holds { "True" } else { "False" };
        Self { kind, status, reason: reason.to_owned(), message: message.to_owned() }
    }

    /// The condition `kind`, of which is not known whether it holds.
    pub fn unknown(kind: &'static str, reason: &str, message: &str) -> Self {
        Self { kind, status: "Unknown", reason: reason.to_owned(), message: message.to_owned() }
    }

    /// Whether the condition holds.
    pub fn holds(&self) -> bool {
        self.status == "True"
    }

    /// Whether `crd` has the condition, whenever it changed.
    pub fn is_set(&self, crd: &Value) -> bool {
        condition(crd, self.kind).is_some_and(|old| {
            old["status"] == self.status && old["reason"] == *self.reason && old["message"] == *self.message
        })
    }

    /// Puts the condition into `crd`'s status; `now` counts if its status changes. Says whether anything changed.
    pub fn set(&self, crd: &mut Value, now: &str) -> bool {
        if self.is_set(crd) {
            return false;
        }
        if !crd["status"].is_object() {
            crd["status"] = json!({});
        }
        let conditions = &mut crd["status"]["conditions"];
        if !conditions.is_array() {
            *conditions = json!([]);
        }
        let Some(conditions) = conditions.as_array_mut() else { return false };
        let place = match conditions.iter().position(|condition| condition["type"] == self.kind) {
            Some(place) => place,
            None => {
                conditions.push(json!({"type": self.kind}));
                conditions.len() - 1
            }
        };
        let condition = &mut conditions[place];
        if condition["status"] != self.status || condition["lastTransitionTime"].is_null() {
            condition["lastTransitionTime"] = json!(now);
        }
        condition["status"] = json!(self.status);
        condition["reason"] = json!(self.reason);
        condition["message"] = json!(self.message);
        true
    }
}

/// Takes the condition of that type away. Says whether there was one.
pub fn remove(crd: &mut Value, kind: &str) -> bool {
    let Some(conditions) = crd["status"]["conditions"].as_array_mut() else { return false };
    let before = conditions.len();
    conditions.retain(|condition| condition["type"] != kind);
    conditions.len() != before
}

/// The condition of that type.
pub fn condition<'a>(crd: &'a Value, kind: &str) -> Option<&'a Value> {
    crd["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// Whether the condition of that type is True.
pub fn is_true(crd: &Value, kind: &str) -> bool {
    condition(crd, kind).is_some_and(|condition| condition["status"] == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_changes_its_time_only_with_its_status() {
        let mut crd = json!({});
        let yes = Condition::new("Established", true, "A", "a");
        assert!(yes.set(&mut crd, "t1"));
        assert!(!yes.set(&mut crd, "t2"), "the same again is no change");
        assert!(Condition::new("Established", true, "B", "b").set(&mut crd, "t3"));
        assert_eq!(condition(&crd, "Established").unwrap()["lastTransitionTime"], "t1");
        assert!(Condition::new("Established", false, "C", "c").set(&mut crd, "t4"));
        assert_eq!(condition(&crd, "Established").unwrap()["lastTransitionTime"], "t4");
        assert_eq!(crd["status"]["conditions"].as_array().unwrap().len(), 1);
        assert!(remove(&mut crd, "Established") && !remove(&mut crd, "Established"));
    }
}

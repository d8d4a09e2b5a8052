//! Conditions of a CustomResourceDefinition.

use serde_json::{Value, json};

/// A condition as it should be; when it last changed follows from what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    kind: &'static str,
    /// True or False.
    pub status: bool,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

impl Condition {
    /// The condition `kind`.
    pub fn new(kind: &'static str, status: bool, reason: &str, message: &str) -> Self {
        Self { kind, status, reason: reason.to_owned(), message: message.to_owned() }
    }

    /// Puts the condition into `crd`'s status; `now` counts if its status changes. Says whether anything changed.
    pub fn set(&self, crd: &mut Value, now: &str) -> bool {
        let status = if self.status { "True" } else { "False" };
        let since = match condition(crd, self.kind) {
            Some(old) if old["status"] == status => {
                if old["reason"] == self.reason.as_str() && old["message"] == self.message.as_str() {
                    return false;
                }
                old["lastTransitionTime"].clone()
            }
            _ => json!(now),
        };
        let fresh = json!({
            "type": self.kind, "status": status, "reason": self.reason, "message": self.message,
            "lastTransitionTime": since,
        });
        if !crd["status"].is_object() {
            crd["status"] = json!({});
        }
        match crd["status"]["conditions"].as_array_mut() {
            Some(conditions) => match conditions.iter_mut().find(|c| c["type"] == self.kind) {
                Some(place) => *place = fresh,
                None => conditions.push(fresh),
            },
            None => crd["status"]["conditions"] = json!([fresh]),
        }
        true
    }
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
    }
}

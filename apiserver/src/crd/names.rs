//! Which of a definition's names are accepted: upstream's naming controller, as a pure function.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::conditions::{Condition, condition};

/// What the status of a definition should say about its names.
#[derive(Clone, Debug, PartialEq)]
pub struct Naming {
    /// `status.acceptedNames`.
    pub accepted: Value,
    /// `NamesAccepted`.
    pub names_accepted: Condition,
    /// Whether the definition may be established.
    pub established: Condition,
}

/// Decides about the names of `crd`, given every other definition.
///
/// A name that another definition of the group has been granted is refused; the ones that were granted before stay.
pub fn decide<'a>(crd: &Value, others: impl Iterator<Item = &'a Value>) -> Naming {
    let (mut resources, mut kinds) = (HashSet::new(), HashSet::new());
    for other in others.filter(|other| other["spec"]["group"] == crd["spec"]["group"]) {
        let names = &other["status"]["acceptedNames"];
        resources.extend(["plural", "singular"].iter().filter_map(|name| names[name].as_str()));
        resources.extend(names["shortNames"].as_array().into_iter().flatten().filter_map(Value::as_str));
        kinds.extend(["kind", "listKind"].iter().filter_map(|name| names[name].as_str()));
    }
    let (wanted, had) = (&crd["spec"]["names"], &crd["status"]["acceptedNames"]);
    let mut accepted = had.as_object().cloned().unwrap_or_default();
    let mut refused: Option<(&str, String)> = None;
    for (field, used, reason) in [
        ("plural", &resources, "PluralConflict"),
        ("singular", &resources, "SingularConflict"),
        ("shortNames", &resources, "ShortNamesConflict"),
        ("kind", &kinds, "KindConflict"),
        ("listKind", &kinds, "ListKindConflict"),
    ] {
        let conflicts: Vec<String> = strings(&wanted[field])
            .filter(|name| used.contains(name) && !strings(&had[field]).any(|granted| granted == *name))
            .map(|name| format!("{name:?} is already in use"))
            .collect();
        if conflicts.is_empty() {
            grant(&mut accepted, field, &wanted[field]);
        } else {
            refused = Some((reason, aggregate(&conflicts)));
        }
    }
    grant(&mut accepted, "categories", &wanted["categories"]);
    let names_accepted = match &refused {
        None => Condition::new("NamesAccepted", true, "NoConflicts", "no conflicts found"),
        Some((reason, message)) => Condition::new("NamesAccepted", false, reason, message),
    };
    let was_established = condition(crd, "Established").is_some_and(|c| c["status"] == "True");
    let established = if was_established || refused.is_none() {
        Condition::new("Established", true, "InitialNamesAccepted", "the initial names have been accepted")
    } else {
        Condition::new("Established", false, "NotAccepted", "not all names are accepted")
    };
    // Both are required by the kind's schema.
    for required in ["plural", "kind"] {
        accepted.entry(required).or_insert_with(|| json!(""));
    }
    Naming { accepted: Value::Object(accepted), names_accepted, established }
}

fn strings(names: &Value) -> impl Iterator<Item = &str> {
    names.as_array().into_iter().flatten().chain(std::iter::once(names)).filter_map(Value::as_str)
}

fn grant(accepted: &mut Map<String, Value>, field: &str, names: &Value) {
    match names {
        Value::Null => drop(accepted.remove(field)),
        names => drop(accepted.insert(field.to_owned(), names.clone())),
    }
}

/// Several errors in one message, as upstream's aggregate prints them.
fn aggregate(errors: &[String]) -> String {
    match errors {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crd(names: Value, accepted: Value) -> Value {
        json!({"spec": {"group": "g", "names": names}, "status": {"acceptedNames": accepted}})
    }

    #[test]
    fn names_that_nobody_has_are_accepted() {
        let names = json!({"plural": "as", "singular": "a", "kind": "A", "listKind": "AList", "shortNames": ["x"]});
        let naming = decide(&crd(names.clone(), json!(null)), [].iter());
        assert_eq!(naming.accepted, names);
        assert!(naming.names_accepted.status && naming.established.status);
    }

    #[test]
    fn a_name_granted_to_another_definition_of_the_group_is_refused_and_the_rest_accepted() {
        let other = crd(json!({}), json!({"plural": "bs", "kind": "B", "listKind": "BList", "shortNames": ["x", "y"]}));
        let names =
            json!({"plural": "as", "singular": "a", "kind": "A", "listKind": "AList", "shortNames": ["x", "y"]});
        let naming = decide(&crd(names, json!(null)), [&other].into_iter());
        assert_eq!(naming.names_accepted.reason, "ShortNamesConflict");
        assert_eq!(naming.names_accepted.message, r#"["x" is already in use, "y" is already in use]"#);
        assert!(!naming.established.status);
        assert_eq!(naming.accepted["plural"], "as");
        assert_eq!(naming.accepted.get("shortNames"), None);
    }

    #[test]
    fn the_same_name_in_another_group_is_no_conflict() {
        let mut other = crd(json!({}), json!({"plural": "as", "kind": "A"}));
        other["spec"]["group"] = json!("h");
        let names = json!({"plural": "as", "singular": "a", "kind": "A", "listKind": "AList"});
        assert!(decide(&crd(names, json!(null)), [&other].into_iter()).names_accepted.status);
    }

    #[test]
    fn an_established_definition_stays_established_when_a_new_name_is_refused() {
        let other = crd(json!({}), json!({"plural": "bs", "kind": "B", "shortNames": ["x"]}));
        let mut own =
            crd(json!({"plural": "as", "kind": "A", "shortNames": ["x"]}), json!({"plural": "as", "kind": "A"}));
        own["status"]["conditions"] = json!([{"type": "Established", "status": "True"}]);
        let naming = decide(&own, [&other].into_iter());
        assert!(!naming.names_accepted.status && naming.established.status);
    }
}

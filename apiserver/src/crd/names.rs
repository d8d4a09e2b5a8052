//! Which of a definition's names are accepted, and when it is established: upstream's naming and establishing controllers, as
//! pure functions.

use std::collections::HashSet;

use apimachinery::quote::quoted;
use registry::crd::ca_bundle_problem;
use registry::crd::conditions::{Condition, condition, is_true};
use serde_json::{Map, Value, json};

/// What the status of a definition should say about its names.
#[derive(Clone, Debug, PartialEq)]
pub struct Naming {
    /// `status.acceptedNames`.
    pub accepted: Value,
    /// `NamesAccepted`.
    pub names_accepted: Condition,
    /// `Established`, if that is to change: it waits for the names.
    pub established: Option<Condition>,
}

/// Decides about the names of `crd`, which is among `all`; `None` where nothing is to be decided, as it has the names it wants.
///
/// A name that a definition of the group has been granted is refused; the ones that were granted to this one before stay.
pub fn decide<'a>(crd: &Value, all: impl Iterator<Item = &'a Value>) -> Option<Naming> {
    let (wanted, had) = (&crd["spec"]["names"], &crd["status"]["acceptedNames"]);
    if same(wanted, had) {
        return None;
    }
    let (mut resources, mut kinds) = (HashSet::new(), HashSet::new());
    for other in all.filter(|other| other["spec"]["group"] == crd["spec"]["group"]) {
        let names = &other["status"]["acceptedNames"];
        resources.extend(["plural", "singular", "shortNames"].iter().flat_map(|field| strings(&names[field])));
        kinds.extend(["kind", "listKind"].iter().flat_map(|field| strings(&names[field])));
    }
    let mut accepted = had.as_object().cloned().unwrap_or_default();
    let mut refused: Option<(&str, String)> = None;
    for (field, used, reason) in [
        ("plural", &resources, "PluralConflict"),
        ("singular", &resources, "SingularConflict"),
        ("shortNames", &resources, "ShortNamesConflict"),
        ("kind", &kinds, "KindConflict"),
        ("listKind", &kinds, "ListKindConflict"),
    ] {
        let mut conflicts: Vec<String> = Vec::new();
        for name in strings(&wanted[field]) {
            let conflict = format!("{} is already in use", quoted(name));
            let granted = strings(&had[field]).any(|granted| granted == name);
            if used.contains(name) && !granted && !conflicts.contains(&conflict) {
                conflicts.push(conflict);
            }
        }
        match &conflicts[..] {
            [] => grant(&mut accepted, field, &wanted[field]),
            [one] => refused = Some((reason, one.clone())),
            // As upstream's aggregate prints several.
            many => refused = Some((reason, format!("[{}]", many.join(", ")))),
        }
    }
    grant(&mut accepted, "categories", &wanted["categories"]);
    let names_accepted = match &refused {
        None => Condition::new("NamesAccepted", true, "NoConflicts", "no conflicts found"),
        Some((reason, message)) => Condition::new("NamesAccepted", false, reason, message),
    };
    let established = if is_true(crd, "Established") {
        None
    } else if refused.is_none() {
        Some(Condition::new("Established", false, "Installing", "the initial names have been accepted"))
    } else if condition(crd, "Established").is_none() {
        Some(Condition::new("Established", false, "NotAccepted", "not all names are accepted"))
    } else {
        None
    };
    // Both are required by the kind's schema.
    for required in ["plural", "kind"] {
        accepted.entry(required).or_insert_with(|| json!(""));
    }
    Some(Naming { accepted: Value::Object(accepted), names_accepted, established })
}

impl Naming {
    /// Puts the decision into the status. Says whether anything changed; where neither names nor their condition do, nothing
    /// does.
    pub fn set(&self, crd: &mut Value, now: &str) -> bool {
        let names_change = !same(&crd["status"]["acceptedNames"], &self.accepted);
        if !names_change && self.names_accepted.is_set(crd) {
            return false;
        }
        self.names_accepted.set(crd, now);
        if let Some(established) = &self.established {
            established.set(crd, now);
        }
        crd["status"]["acceptedNames"] = self.accepted.clone();
        true
    }
}

/// What `Established` becomes when the names are accepted; `None` if it is established, or its names are not accepted.
pub fn establish(crd: &Value) -> Option<Condition> {
    if !is_true(crd, "NamesAccepted") || is_true(crd, "Established") {
        return None;
    }
    let bundle = crd["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"].as_str().unwrap_or_default();
    Some(match ca_bundle_problem(bundle) {
        Some(_) => {
            Condition::new("Established", false, "InvalidCABundle", "The conversion webhook CABundle is invalid")
        }
        None => Condition::new("Established", true, "InitialNamesAccepted", "the initial names have been accepted"),
    })
}

/// Whether two sets of names are the same; no list and an empty one are.
fn same(a: &Value, b: &Value) -> bool {
    let texts = ["plural", "singular", "kind", "listKind"];
    let lists = ["shortNames", "categories"];
    texts.iter().all(|field| a[field].as_str().unwrap_or_default() == b[field].as_str().unwrap_or_default())
        && lists.iter().all(|field| strings(&a[field]).eq(strings(&b[field])))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn crd(names: Value, accepted: Value) -> Value {
        json!({"spec": {"group": "g", "names": names}, "status": {"acceptedNames": accepted}})
    }

    #[test]
    fn names_that_nobody_has_are_accepted_and_then_the_definition_is_established() {
        let names = json!({"plural": "as", "singular": "a", "kind": "A", "listKind": "AList", "shortNames": ["x"]});
        let mut own = crd(names.clone(), json!(null));
        let naming = decide(&own, [own.clone()].iter()).unwrap();
        assert_eq!(naming.accepted, names);
        assert!(naming.set(&mut own, "t"));
        assert_eq!(
            own["status"]["conditions"],
            json!([
                {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "message": "no conflicts found", "lastTransitionTime": "t"},
                {"type": "Established", "status": "False", "reason": "Installing", "message": "the initial names have been accepted", "lastTransitionTime": "t"},
            ])
        );
        assert_eq!(decide(&own, [own.clone()].iter()), None, "names that are granted are not looked at again");
        let established = establish(&own).unwrap();
        assert_eq!((established.status, &*established.reason), ("True", "InitialNamesAccepted"));
        established.set(&mut own, "t");
        assert_eq!(establish(&own), None);
    }

    #[test]
    fn a_name_granted_to_another_definition_of_the_group_is_refused_and_the_rest_accepted() {
        let other = crd(json!({}), json!({"plural": "bs", "kind": "B", "listKind": "BList", "shortNames": ["x", "y"]}));
        let names =
            json!({"plural": "as", "singular": "a", "kind": "A", "listKind": "AList", "shortNames": ["x", "y", "x"]});
        let naming = decide(&crd(names, json!(null)), [&other].into_iter()).unwrap();
        assert_eq!(naming.names_accepted.reason, "ShortNamesConflict");
        assert_eq!(naming.names_accepted.message, r#"["x" is already in use, "y" is already in use]"#);
        assert_eq!(naming.established.unwrap().reason, "NotAccepted");
        assert_eq!(naming.accepted["plural"], "as");
        assert_eq!(naming.accepted.get("shortNames"), None);
    }

    #[test]
    fn the_last_of_several_conflicts_is_told() {
        let other = crd(json!({}), json!({"plural": "as", "singular": "a", "kind": "A", "listKind": "AList"}));
        let names = json!({"plural": "as", "singular": "a", "kind": "A", "listKind": "AList"});
        let naming = decide(&crd(names, json!(null)), [&other].into_iter()).unwrap();
        assert_eq!(naming.names_accepted.reason, "ListKindConflict");
        assert_eq!(naming.names_accepted.message, r#""AList" is already in use"#);
    }

    #[test]
    fn a_definition_s_own_names_are_in_use_for_another_purpose() {
        let names = json!({"plural": "as", "singular": "as", "kind": "A", "listKind": "AList"});
        let own = crd(names, json!({"plural": "as", "singular": "a", "kind": "A", "listKind": "AList"}));
        assert_eq!(decide(&own, [&own].into_iter()).unwrap().names_accepted.reason, "SingularConflict");
    }

    #[test]
    fn the_same_name_in_another_group_is_no_conflict() {
        let mut other = crd(json!({}), json!({"plural": "as", "kind": "A"}));
        other["spec"]["group"] = json!("h");
        let names = json!({"plural": "as", "singular": "a", "kind": "A", "listKind": "AList"});
        assert!(decide(&crd(names, json!(null)), [&other].into_iter()).unwrap().names_accepted.holds());
    }

    #[test]
    fn an_established_definition_stays_established_when_a_new_name_is_refused() {
        let other = crd(json!({}), json!({"plural": "bs", "kind": "B", "shortNames": ["x"]}));
        let mut own =
            crd(json!({"plural": "as", "kind": "A", "shortNames": ["x"]}), json!({"plural": "as", "kind": "A"}));
        own["status"]["conditions"] = json!([{"type": "Established", "status": "True"}]);
        let naming = decide(&own, [&other].into_iter()).unwrap();
        assert!(!naming.names_accepted.holds() && naming.established.is_none());
    }

    #[test]
    fn a_webhook_with_authorities_that_are_none_is_not_established() {
        let mut own = crd(json!({}), json!({}));
        own["spec"]["conversion"] = json!({"webhook": {"clientConfig": {"caBundle": "eHg="}}});
        own["status"]["conditions"] = json!([{"type": "NamesAccepted", "status": "True"}]);
        assert_eq!(establish(&own).unwrap().reason, "InvalidCABundle");
    }
}

//! Who may do what: the question ([`Attributes`]), those who answer it ([`Authorizer`]), and upstream's answers: roles and
//! bindings ([`rbac`]), what a node may do ([`node`]), everything or nothing ([`Always`]).
//!
//! Pure: no I/O, no clock. What is known of roles, bindings and pods is put in by who follows them, and asked without copies.

pub mod authorizer;
pub mod node;
pub mod rbac;
mod union;

pub use authorizer::{Attributes, Authorizer, Decision, NonResourceRule, ResourceRule, Rules};
pub use union::{Always, Privileged, Union};

/// The sentence that Go's error aggregate makes of several: alone as it is, more in brackets, none twice.
pub(crate) fn aggregate(errors: &[String]) -> String {
    let mut distinct: Vec<&str> = Vec::new();
    for error in errors {
        if !distinct.contains(&error.as_str()) {
            distinct.push(error);
        }
    }
    match distinct.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        several => format!("[{}]", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn errors_are_aggregated_as_go_does() {
        for (errors, words) in [(&[][..], ""), (&["a"], "a"), (&["a", "a"], "a"), (&["a", "b", "a"], "[a, b]")] {
            let errors: Vec<String> = errors.iter().map(|&error| error.to_owned()).collect();
            assert_eq!(super::aggregate(&errors), words);
        }
    }
}

//! Rules for a `metav1.LabelSelector` in an object.

use serde_json::Value;

use super::{is_valid_label_value, validate_label_name, validate_labels};
use crate::field::{Error, ErrorList, Path};

/// Checks a label selector; null has nothing to check. `allows_invalid_values` is for an update of an object that was
/// stored with such values.
pub fn validate_label_selector(selector: &Value, allows_invalid_values: bool, at: &Path) -> ErrorList {
    let mut errors = validate_labels(&selector["matchLabels"], &at.child("matchLabels"));
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    for (i, expression) in expressions.enumerate() {
        let at = at.child("matchExpressions").index(i);
        errors.extend(validate_label_selector_requirement(expression, allows_invalid_values, &at));
    }
    errors
}

fn validate_label_selector_requirement(expression: &Value, allows_invalid_values: bool, at: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let text = |field: &str| expression.get(field).and_then(Value::as_str).unwrap_or_default();
    let values = expression.get("values").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match text("operator") {
        "In" | "NotIn" if values.is_empty() => {
            let why = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(Error::required(&at.child("values"), why));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(Error::forbidden(&at.child("values"), why));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => errors.push(Error::invalid(&at.child("operator"), other, "not a valid selector operator")),
    }
    errors.extend(validate_label_name(text("key"), &at.child("key")));
    if allows_invalid_values {
        return errors;
    }
    for (i, value) in values.iter().enumerate() {
        let value = value.as_str().unwrap_or_default();
        let messages = is_valid_label_value(value).into_iter();
        errors.extend(messages.map(|why| Error::invalid(&at.child("values").index(i), value, why)));
    }
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn label_selectors_are_checked_in_upstreams_words() {
        let check = |selector: Value| -> Vec<String> {
            let at = Path::new("spec").child("selector");
            validate_label_selector(&selector, false, &at).iter().map(|error| error.to_string()).collect()
        };
        let of = |key: &str, operator: &str, values: Value| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        assert!(check(json!(null)).is_empty());
        assert!(check(json!({"matchLabels": {"a": "b"}})).is_empty());
        assert!(check(of("a", "In", json!(["b"]))).is_empty());
        for (selector, want) in [
            (
                of("a", "In", json!([])),
                "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            ),
            (
                of("a", "Exists", json!(["b"])),
                "spec.selector.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
            (
                of("a", "in", json!(["b"])),
                "spec.selector.matchExpressions[0].operator: Invalid value: \"in\": not a valid selector operator",
            ),
            (
                of("", "Exists", json!(null)),
                "spec.selector.matchExpressions[0].key: Invalid value: \"\": name part must be non-empty",
            ),
        ] {
            assert_eq!(check(selector)[0], want);
        }
        let bad_value = check(of("a", "In", json!(["ok", "b c"])));
        assert!(
            bad_value[0]
                .starts_with("spec.selector.matchExpressions[0].values[1]: Invalid value: \"b c\": a valid label")
        );
    }
}

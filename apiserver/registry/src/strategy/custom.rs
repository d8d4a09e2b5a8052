//! Custom resources: their type, metadata, schema, scale and rules, in the order in which upstream looks.

use apimachinery::ObjectExt;
use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::quote::{Quoted, go_type, go_value};
use apimachinery::validation::is_qualified_name;
use serde_json::Value;

use super::{Facts, Generation, Scope, StatusOnCreate, Strategy};
use crate::meta;
use crate::table::ScalePaths;

/// Finalizers of upstream's own, which need no domain.
const STANDARD_FINALIZERS: [&str; 3] = ["orphan", "foregroundDeletion", "kubernetes"];

#[derive(Debug)]
pub(super) struct CustomResource;

impl Strategy for CustomResource {
    fn facts(&self) -> &Facts {
        &Facts {
            generation: Generation::Spec,
            status_on_create: StatusOnCreate::Reset,
            create_on_update: false,
            unconditional_update: false,
            status_keeps_labels: false,
        }
    }

    fn validate_new(&self, object: &Value, scope: &Scope<'_>) -> ErrorList {
        let mut errors = of_type(object, scope);
        if !errors.is_empty() {
            return errors;
        }
        errors = meta::validate_create(object, scope.row, self.name_rule(scope.row));
        let root = Path::default();
        let schema = scope.row.schema();
        if let Some(schema) = &schema {
            errors.extend(schema.validate_keywords(object, None, &root));
        }
        if let Some(paths) = &scope.row.scale {
            errors.extend(scale_spec(object, paths));
            errors.extend(scale_status(object, paths));
        }
        if let Some(schema) = &schema {
            errors.extend(schema.validate_embedded(object, &root));
            errors.extend(schema.validate_lists(object, None, &root));
            let of_rules = schema.validate_rules(object, None, &errors);
            errors.extend(of_rules.errors);
        }
        errors
    }

    fn validate_change(&self, object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
        let mut errors = of_type(object, scope);
        if !errors.is_empty() {
            return errors;
        }
        errors = meta::validate_change(object, old);
        let root = Path::default();
        let of_status = scope.subresource == "status";
        let schema = scope.row.schema();
        if let Some(schema) = &schema {
            if !of_status {
                errors.extend(schema.validate_keywords(object, Some(old), &root));
            } else if let Some(status) = object.get("status") {
                errors.extend(schema.validate_field("status", status, old.get("status")));
            }
        }
        if let Some(paths) = &scope.row.scale {
            if !of_status {
                errors.extend(scale_spec(object, paths));
            }
            errors.extend(scale_status(object, paths));
        }
        if let Some(schema) = &schema {
            if !of_status {
                errors.extend(schema.validate_embedded(object, &root));
            }
            errors.extend(schema.validate_lists(object, Some(old), &root));
            let of_rules = schema.validate_rules(object, Some(old), &errors);
            errors.extend(of_rules.errors);
            of_rules.warnings.into_iter().for_each(|warning| scope.warnings.warn(warning));
        }
        errors
    }

    fn warnings(&self, object: &Value, old: Option<&Value>, scope: &Scope<'_>) -> Vec<String> {
        if scope.subresource == "status" {
            return Vec::new();
        }
        let mut added: Vec<&str> =
            object.finalizers().filter(|name| old.is_none_or(|old| !old.has_finalizer(name))).collect();
        added.sort_unstable();
        added.dedup();
        added.into_iter().flat_map(of_finalizer).collect()
    }
}

/// What upstream warns of in a finalizer's name.
fn of_finalizer(name: &str) -> Vec<String> {
    let place = format!("metadata.finalizers: {}", Quoted(name));
    let mut warnings: Vec<String> = is_qualified_name(name).into_iter().map(|why| format!("{place}: {why}")).collect();
    if !name.contains('/') && !STANDARD_FINALIZERS.contains(&name) {
        let path = if name.contains('.') { " including a path (/)" } else { "" };
        warnings.push(format!(
            "{place}: prefer a domain-qualified finalizer name{path} to avoid accidental conflicts with other finalizer writers"
        ));
    }
    warnings
}

/// An object of another kind or version is told that alone.
fn of_type(object: &Value, scope: &Scope<'_>) -> ErrorList {
    let mut errors = ErrorList::new();
    let (version, kind) = (scope.row.api_version(), scope.row.kind.as_str());
    if object.kind() != kind {
        errors.push(Error::invalid(&Path::new("kind"), object.kind(), format!("must be {kind}")));
    }
    if object.api_version() != version {
        errors.push(Error::invalid(&Path::new("apiVersion"), object.api_version(), format!("must be {version}")));
    }
    errors
}

/// The replicas wanted, where `scale` writes them.
fn scale_spec(object: &Value, paths: &ScalePaths) -> ErrorList {
    replicas(object, &paths.spec_replicas).err().into_iter().collect()
}

/// The replicas and the selector that `scale` shows.
fn scale_status(object: &Value, paths: &ScalePaths) -> ErrorList {
    let mut errors: ErrorList = replicas(object, &paths.status_replicas).err().into_iter().collect();
    if let Some(path) = &paths.label_selector {
        let selector = nested(object, path).and_then(|found| match found {
            None | Some(Value::String(_)) => Ok(()),
            Some(other) => Err(not_of_type(path, other, "string")),
        });
        errors.extend(selector.err().map(|error| Error::invalid(&Path::new(path.as_str()), "", error)));
    }
    errors
}

fn replicas(object: &Value, path: &str) -> Result<(), Error> {
    let refused = |value: i64, words: String| Error::invalid(&Path::new(path), value, words);
    let found = nested(object, path).map_err(|error| refused(0, error))?;
    let Some(found) = found else { return Ok(()) };
    let Some(count) = found.as_i64() else { return Err(refused(0, not_of_type(path, found, "int64"))) };
    if count < 0 {
        return Err(refused(count, "should be a non-negative integer".to_owned()));
    }
    if count > i64::from(i32::MAX) {
        return Err(refused(count, format!("should be less than or equal to {}", i32::MAX)));
    }
    Ok(())
}

/// The value at a dotted path (`.spec.replicas`).
fn nested<'a>(object: &'a Value, path: &str) -> Result<Option<&'a Value>, String> {
    let mut at = object;
    let path = path.trim_start_matches('.');
    let mut seen = 0;
    for part in path.split('.') {
        seen += part.len() + 1;
        match at {
            Value::Null => return Ok(None),
            Value::Object(fields) => match fields.get(part) {
                Some(value) => at = value,
                None => return Ok(None),
            },
            other => return Err(not_of_type(&path[..seen - 1], other, "map[string]interface{}")),
        }
    }
    Ok(Some(at))
}

fn not_of_type(path: &str, value: &Value, wanted: &str) -> String {
    let path = path.trim_start_matches('.');
    format!(".{path} accessor error: {} is of the type {}, expected {wanted}", go_value(value), go_type(value).go)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_scale_of_the_wrong_type_or_size_is_named_by_its_path() {
        for (object, want) in [
            (json!({}), None),
            (json!({"spec": null}), None),
            (json!({"spec": {"replicas": 1}}), None),
            (
                json!({"spec": {"replicas": -1}}),
                Some(".spec.replicas: Invalid value: -1: should be a non-negative integer"),
            ),
            (
                json!({"spec": {"replicas": 2_147_483_648_i64}}),
                Some(".spec.replicas: Invalid value: 2147483648: should be less than or equal to 2147483647"),
            ),
            (
                json!({"spec": {"replicas": "1"}}),
                Some(
                    ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: 1 is of the type string, expected int64",
                ),
            ),
            (
                json!({"spec": "x"}),
                Some(
                    ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: x is of the type string, expected map[string]interface{}",
                ),
            ),
        ] {
            let error = replicas(&object, ".spec.replicas").err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), want, "{object}");
        }
    }

    #[test]
    fn finalizers_without_a_domain_cost_a_warning() {
        assert_eq!(of_finalizer("example.com/hold"), Vec::<String>::new());
        assert_eq!(of_finalizer("foregroundDeletion"), Vec::<String>::new());
        assert_eq!(
            of_finalizer("hold"),
            [
                "metadata.finalizers: \"hold\": prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers"
            ]
        );
        assert_eq!(
            of_finalizer("hold.example.com"),
            [
                "metadata.finalizers: \"hold.example.com\": prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers"
            ]
        );
    }
}

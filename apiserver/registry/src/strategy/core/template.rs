//! Templates of pods as objects of their own.

use apimachinery::field::{ErrorList, Path};
use serde_json::Value;

use crate::meta;
use crate::strategy::{Facts, Generation, Scope, Strategy, pod_template};
use crate::validation::pod::{Options, template, warnings};

#[derive(Debug)]
pub(super) struct PodTemplate;

impl Strategy for PodTemplate {
    fn facts(&self) -> &Facts {
        const FACTS: Facts = Facts::generation(Generation::Spec);
        &FACTS
    }

    fn apply_defaults(&self, object: &mut Value) {
        if let Some(spec) = object.pointer_mut("/template/spec").and_then(Value::as_object_mut) {
            pod_template::apply_defaults(spec);
        }
    }

    fn prepare_create(&self, object: &mut Value, _scope: &Scope<'_>) {
        if let Some(template) = object.get_mut("template") {
            pod_template::drop_disabled(template, None);
        }
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, _scope: &Scope<'_>) {
        if let Some(template) = object.get_mut("template") {
            pod_template::drop_disabled(template, old.get("template"));
        }
    }

    fn validate_new(&self, object: &Value, scope: &Scope<'_>) -> ErrorList {
        let mut errors = meta::validate_create(object, scope.row, self.name_rule(scope.row));
        let options = Options::of_template(scope, None);
        template::validate(&object["template"], &Path::new("template"), &options, &mut errors);
        errors
    }

    fn validate_update(&self, object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
        let mut errors = ErrorList::new();
        let options = Options::of_template(scope, old.get("template"));
        template::validate(&object["template"], &Path::new("template"), &options, &mut errors);
        errors
    }

    fn warnings(&self, object: &Value, _old: Option<&Value>, _scope: &Scope<'_>) -> Vec<String> {
        warnings::for_template(&object["template"], &Path::new("template"))
    }

    fn returns_deleted(&self) -> bool {
        true
    }
}

//! A write's options in the form that admission sees.

use admission::Operation;
use serde_json::Value;

/// The options that admission sees.
#[derive(Clone, Debug, Default)]
pub(crate) struct OptionsObject {
    pub dry_run: bool,
    pub field_manager: String,
    pub field_validation: &'static str,
    pub force: Option<bool>,
}

impl OptionsObject {
    /// As the options of an operation.
    pub fn of(&self, operation: Operation, patch: bool) -> Value {
        let kind = match (operation, patch) {
            (Operation::Create, _) => "CreateOptions",
            (_, true) => "PatchOptions",
            _ => "UpdateOptions",
        };
        let mut options = serde_json::json!({"apiVersion": "meta.k8s.io/v1", "kind": kind});
        if self.dry_run {
            options["dryRun"] = serde_json::json!(["All"]);
        }
        if !self.field_manager.is_empty() {
            options["fieldManager"] = self.field_manager.as_str().into();
        }
        if !self.field_validation.is_empty() {
            options["fieldValidation"] = self.field_validation.into();
        }
        options
    }
}

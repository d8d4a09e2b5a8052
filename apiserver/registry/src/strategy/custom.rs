//! Custom resources: what their schema does not say.

use apimachinery::ObjectExt;
use apimachinery::field::{Error, ErrorList, Path};
use serde_json::Value;

use super::{Facts, Generation, Scope, StatusOnCreate, Strategy};

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

    fn validate(&self, object: &Value, scope: &Scope<'_>) -> ErrorList {
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
}

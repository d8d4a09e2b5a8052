//! Validation of custom resources.
use apimachinery::field::{ErrorList, Path};
use serde_json::Value;

use crate::crd::Custom;

pub(crate) fn custom(_custom: &Custom, _value: &Value, _old: Option<&Value>, _path: &Path) -> ErrorList {
    ErrorList::new()
}

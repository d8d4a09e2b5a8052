//! `additionalPrinterColumns`: what a table of the resource shows.

use apimachinery::field::{Error, ErrorList, Path};
use serde_json::Value;

use super::json_path;
use crate::strategy::read::{list, text};

const TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const FORMATS: [&str; 8] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];

/// What is wrong with the columns of a definition or of one of its versions, which stands at `path`.
pub(super) fn validate(of: &Value, path: &Path) -> ErrorList {
    let path = path.child("additionalPrinterColumns");
    let columns = list(of, "additionalPrinterColumns").iter().enumerate();
    columns.flat_map(|(index, of)| column(of, &path.index(index))).collect()
}

fn column(column: &Value, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    if text(column, "name").is_empty() {
        errors.push(Error::required(&path.child("name"), ""));
    }
    let one_of = |known: &[&str]| format!("must be one of {}", known.join(","));
    match text(column, "type") {
        "" => errors.push(Error::required(&path.child("type"), one_of(&TYPES))),
        kind if TYPES.contains(&kind) => {}
        kind => errors.push(Error::invalid(&path.child("type"), kind, one_of(&TYPES))),
    }
    let format = text(column, "format");
    if !format.is_empty() && !FORMATS.contains(&format) {
        errors.push(Error::invalid(&path.child("format"), format, one_of(&FORMATS)));
    }
    let at = path.child("JSONPath");
    match text(column, "jsonPath") {
        "" => errors.push(Error::required(&at, "")),
        given => errors.extend(json_path(given, &at)),
    }
    errors
}

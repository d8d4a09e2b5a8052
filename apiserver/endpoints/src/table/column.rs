//! Columns of built-in kinds, and what upstream says of them: words of its printers, or what the API's documentation says
//! of the field that a column shows.

use std::sync::OnceLock;

use apimachinery::quote::go_json;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use super::printers::Object;
use super::{Clock, Definition};

/// How a built-in kind is shown: a cell for each column.
pub(super) struct Printer {
    /// The columns.
    columns: &'static [Column],
    /// Makes the cells of an object, in the columns' order.
    pub(super) cells: fn(Object<'_>, Clock) -> Vec<Value>,
    /// What a row says of its object beside the cells.
    pub(super) conditions: fn(Object<'_>) -> Option<Value>,
    /// By what the rows of a list are sorted, where upstream sorts them.
    pub(super) order: Option<fn(Object<'_>) -> (i64, String)>,
    /// The columns as a Table states them, made when they are first asked for.
    stated: OnceLock<String>,
}

impl Printer {
    pub(super) const fn new(columns: &'static [Column], cells: fn(Object<'_>, Clock) -> Vec<Value>) -> Self {
        Self { columns, cells, conditions: |_| None, order: None, stated: OnceLock::new() }
    }

    /// This printer, whose rows have conditions.
    pub(super) const fn with_conditions(mut self, conditions: fn(Object<'_>) -> Option<Value>) -> Self {
        self.conditions = conditions;
        self
    }

    /// This printer, whose lists are sorted.
    pub(super) const fn sorted_by(mut self, order: fn(Object<'_>) -> (i64, String)) -> Self {
        self.order = Some(order);
        self
    }

    /// The JSON of the columns' definitions.
    pub(super) fn definitions(&self) -> &str {
        self.stated.get_or_init(|| {
            let descriptions: Vec<String> = self.columns.iter().map(Column::description).collect();
            let definitions = self.columns.iter().zip(&descriptions).map(|(column, description)| Definition {
                name: column.name,
                kind: column.kind,
                format: column.format,
                description,
                priority: column.priority,
            });
            go_json(&definitions.collect::<Vec<_>>())
        })
    }
}

/// A column of a built-in kind.
#[derive(Clone, Copy)]
pub(super) struct Column {
    name: &'static str,
    kind: &'static str,
    format: &'static str,
    priority: i64,
    says: Says,
}

/// Where a column's description comes from.
#[derive(Clone, Copy)]
enum Says {
    Words(&'static str),
    /// What is said of a type's field.
    Field(fn(&str) -> Option<String>, &'static str),
}

impl Column {
    fn description(&self) -> String {
        match self.says {
            Says::Words(words) => words.to_owned(),
            Says::Field(documentation, name) => documentation(name).unwrap_or_default(),
        }
    }

    /// This column, of another OpenAPI type than `string`.
    pub(super) const fn of(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// This column, shown in wide output alone.
    pub(super) const fn wide(self) -> Self {
        Self { priority: 1, ..self }
    }

    /// This column, whose cells are names.
    pub(super) const fn named(self) -> Self {
        Self { format: "name", ..self }
    }
}

/// A column of text, described in words of its own.
pub(super) const fn words(name: &'static str, words: &'static str) -> Column {
    Column { name, kind: "string", format: "", priority: 0, says: Says::Words(words) }
}

/// A column of text, described as the field of `T` is.
pub(super) const fn field<T: JsonSchema>(name: &'static str, field: &'static str) -> Column {
    Column { name, kind: "string", format: "", priority: 0, says: Says::Field(documentation::<T>, field) }
}

/// What the API's documentation says of a field of `T`.
pub(super) fn documentation<T: JsonSchema>(field: &str) -> Option<String> {
    let schema = T::json_schema(&mut SchemaGenerator::default());
    let property = schema.as_value().get("properties")?.get(field)?;
    property.get("description")?.as_str().map(str::to_owned)
}

/// The name of an object.
pub(super) const NAME: Column = field::<ObjectMeta>("Name", "name").named();
/// How long it has been there.
pub(super) const AGE: Column = field::<ObjectMeta>("Age", "creationTimestamp");
/// When it was made.
pub(super) const CREATED_AT: Column = field::<ObjectMeta>("Created At", "creationTimestamp").of("date");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_described_by_words_or_by_documentation() {
        static PRINTER: Printer =
            Printer::new(&[NAME, words("Ready", "Whether it is.").of("boolean").wide(), AGE], |_, _| Vec::new());
        let definitions: Value = serde_json::from_str(PRINTER.definitions()).unwrap();
        let said = |at: usize| definitions[at]["description"].as_str().unwrap_or_default();
        assert!(said(0).starts_with("Name must be unique within a namespace."), "{definitions}");
        assert_eq!((said(1), &definitions[1]["priority"]), ("Whether it is.", &Value::from(1)));
        assert!(said(2).contains("\n\nPopulated by the system. Read-only."), "{definitions}");
        assert_eq!(documentation::<ObjectMeta>("nothing"), None);
    }
}

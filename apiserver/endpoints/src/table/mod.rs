//! What objects are shown as: themselves, their metadata, or rows of printed cells.

mod cells;
mod column;
mod printers;

use std::borrow::Cow;

use apimachinery::jsonpath;
use apimachinery::quote::{go_json, write_go_json};
use apimachinery::status::{Reason, StatusError};
use bytes::Bytes;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use registry::{Column, Row, Served, Target};
use schema::types::Declared;
use serde::Serialize;
use serde_json::Value;

use crate::negotiation::{Convert, ConvertKind};
use crate::options::{self, IncludeObject};
use crate::query::Query;
use crate::raw;
use crate::response::Form;

pub(crate) use cells::Clock;

/// What each object of an answer is shown as.
pub(crate) enum Shape {
    /// Itself.
    Object,
    /// `PartialObjectMetadata` of this version of `meta.k8s.io`.
    Metadata { version: &'static str, list: bool },
    /// A row of a `Table`.
    Table(Box<Printer>),
}

/// Makes a Table.
pub(crate) struct Printer {
    version: &'static str,
    include: IncludeObject,
    columns: Columns,
    clock: Clock,
    /// The columns were sent: a watch states them once.
    stated: bool,
}

/// The columns of a row, and how their cells are made.
enum Columns {
    /// A built-in kind's.
    BuiltIn(&'static column::Printer),
    /// A custom resource's: name, then the definition's JSONPaths.
    Custom(Vec<Column>, Vec<jsonpath::Path>),
}

/// The shape that was negotiated for answers about `target`.
pub(crate) fn shape(form: &Form, query: &Query, target: &Target) -> Result<Shape, StatusError> {
    let Some(Convert { kind, version }) = &form.accepted.convert else { return Ok(Shape::Object) };
    match kind {
        ConvertKind::PartialObjectMetadata => Ok(Shape::Metadata { version, list: false }),
        ConvertKind::PartialObjectMetadataList => Ok(Shape::Metadata { version, list: true }),
        ConvertKind::Table => {
            let include = options::table(query)?;
            let columns = Columns::of(target);
            Ok(Shape::Table(Box::new(Printer { version, include, columns, clock: Clock::now(), stated: false })))
        }
    }
}

impl Columns {
    fn of(target: &Target) -> Self {
        let row = &target.row;
        let scale = target.subresource == "scale";
        if !row.is_custom() {
            let printer = if scale { Some(printers::scale()) } else { printers::of(&row.gvr) };
            return Self::BuiltIn(printer.unwrap_or(&printers::CREATED));
        }
        // A row may state the name's column itself.
        let mut columns: Vec<Column> = match row.scale.as_ref().filter(|_| scale) {
            Some(_) => vec![
                computed("Desired", "integer", "Number of desired replicas", ".spec.replicas"),
                computed("Available", "integer", "Number of actual replicas", ".status.replicas"),
            ],
            None => row.columns.iter().filter(|column| column.json_path.is_some()).cloned().collect(),
        };
        if scale || columns.is_empty() {
            let created = column::documentation::<ObjectMeta>("creationTimestamp").unwrap_or_default();
            columns.push(computed("Age", "date", &created, ".metadata.creationTimestamp"));
        }
        for column in columns.iter_mut().filter(|column| column.description.is_empty()) {
            let path = column.json_path.as_deref().unwrap_or_default();
            column.description = format!("Custom resource definition column (in JSONPath format): {path}");
        }
        // A path that cannot be read ends the columns.
        let read = |column: &Column| jsonpath::Path::parse(column.json_path.as_deref().unwrap_or_default());
        let paths: Vec<_> = columns.iter().map_while(read).collect();
        columns.truncate(paths.len());
        Self::Custom(columns, paths)
    }

    /// Whether upstream has no printer for the kind: names and times of creation.
    fn are_default(&self) -> bool {
        matches!(self, Self::BuiltIn(printer) if std::ptr::eq(*printer, &raw const printers::CREATED))
    }

    /// The JSON of their definitions.
    fn definitions(&self) -> Cow<'_, str> {
        match self {
            Self::BuiltIn(printer) => printer.definitions().into(),
            Self::Custom(columns, _) => {
                let name = column::documentation::<ObjectMeta>("name").unwrap_or_default();
                let name = Definition { name: "Name", kind: "string", format: "name", description: &name, priority: 0 };
                let all: Vec<_> = std::iter::once(name).chain(columns.iter().map(Definition::of)).collect();
                go_json(&all).into()
            }
        }
    }

    /// What a row says of its object: that a Pod has ended.
    fn conditions(&self, object: &Value) -> Option<Value> {
        match self {
            Self::BuiltIn(printer) => (printer.conditions)(printers::Object(object)),
            Self::Custom(..) => None,
        }
    }

    fn cells(&self, object: &Value, clock: Clock) -> Vec<Value> {
        match self {
            Self::BuiltIn(printer) => (printer.cells)(printers::Object(object), clock),
            Self::Custom(columns, paths) => {
                let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                let cells = columns.iter().zip(paths).map(|(column, path)| cells::custom(column, path, object, clock));
                std::iter::once(name.into()).chain(cells).collect()
            }
        }
    }
}

/// A column of upstream's own for custom resources.
fn computed(name: &str, kind: &str, description: &str, path: &str) -> Column {
    Column {
        name: name.into(),
        kind: kind.into(),
        format: String::new(),
        description: description.into(),
        priority: 0,
        json_path: Some(path.into()),
    }
}

/// A column as a Table states it.
#[derive(Serialize)]
struct Definition<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    format: &'a str,
    description: &'a str,
    priority: i64,
}

impl<'a> Definition<'a> {
    fn of(column: &'a Column) -> Self {
        Self {
            name: &column.name,
            kind: &column.kind,
            format: &column.format,
            description: &column.description,
            priority: column.priority,
        }
    }
}

impl Shape {
    /// The JSON of one object in this shape (not [`Shape::Object`], whose JSON is the object's own).
    pub(crate) fn one(&self, row: &Row, object: &Served) -> Result<Bytes, StatusError> {
        let mut out = Vec::with_capacity(object.bytes().len() + 256);
        match self {
            Self::Object => return Ok(object.bytes().clone()),
            Self::Metadata { list: true, .. } => {
                return Err(not_acceptable(format!(
                    "you requested PartialObjectMetadataList, but the requested object is not a list (*{})",
                    go_type(row)
                )));
            }
            Self::Metadata { version, list: false } => push_metadata(row, version, object.bytes(), &mut out),
            Self::Table(printer) => {
                let meta = match resource_version(object.bytes()) {
                    "" => "{}".to_owned(),
                    version => format!(r#"{{"resourceVersion":"{version}"}}"#),
                };
                out.extend_from_slice(printer.head(&meta, true).as_bytes());
                printer.push_row(row, object, &mut out);
                out.extend_from_slice(b"]}");
            }
        }
        Ok(out.into())
    }

    /// The JSON of an event's object.
    pub(crate) fn event(&mut self, row: &Row, object: &Served) -> Result<Bytes, StatusError> {
        let Self::Table(printer) = self else { return self.one(row, object) };
        let mut out = Vec::with_capacity(object.bytes().len() + 256);
        let stated = std::mem::replace(&mut printer.stated, true);
        printer.clock = Clock::now();
        let meta = format!(r#"{{"resourceVersion":"{}"}}"#, resource_version(object.bytes()));
        out.extend_from_slice(printer.head(&meta, !stated).as_bytes());
        printer.push_row(row, object, &mut out);
        out.extend_from_slice(b"]}");
        Ok(out.into())
    }

    /// Whether a list of no objects has null in place of an empty list, as Go's slices that nothing was added to.
    pub(crate) fn empty_is_null(&self) -> bool {
        match self {
            Self::Object => false,
            Self::Metadata { .. } => true,
            Self::Table(printer) => printer.columns.are_default(),
        }
    }

    /// Puts the objects of a list in the order in which they are shown.
    pub(crate) fn sort(&self, items: &mut [Served]) {
        if let Self::Table(table) = self
            && let Columns::BuiltIn(printer) = &table.columns
            && let Some(order) = printer.order
        {
            let key = |item: &Served| item.value().map(|value| order(printers::Object(&value))).unwrap_or_default();
            items.sort_by_cached_key(key);
        }
    }

    /// What comes before the objects of a list, up to the opening bracket; `]}` comes behind them. `meta` is the list's
    /// metadata.
    pub(crate) fn head(&self, row: &Row, meta: &str) -> Result<String, StatusError> {
        match self {
            Self::Metadata { list: false, .. } => Err(not_acceptable(format!(
                "you requested PartialObjectMetadata, but the requested object is a list (*{}List)",
                go_type(row)
            ))),
            Self::Metadata { version, .. } => Ok(format!(
                r#"{{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/{version}","metadata":{meta},"items":["#
            )),
            Self::Table(printer) => Ok(printer.head(meta, true)),
            Self::Object => Ok(String::new()),
        }
    }

    /// One object of a list.
    pub(crate) fn push_item(&self, row: &Row, object: &Served, out: &mut Vec<u8>) {
        match self {
            Self::Object => out.extend_from_slice(object.bytes()),
            Self::Metadata { version, .. } => push_metadata(row, version, object.bytes(), out),
            Self::Table(printer) => printer.push_row(row, object, out),
        }
    }
}

impl Printer {
    fn head(&self, meta: &str, columns: bool) -> String {
        let definitions = if columns { self.columns.definitions() } else { "null".into() };
        format!(
            r#"{{"kind":"Table","apiVersion":"meta.k8s.io/{}","metadata":{meta},"columnDefinitions":{definitions},"rows":["#,
            self.version
        )
    }

    fn push_row(&self, row: &Row, object: &Served, out: &mut Vec<u8>) {
        let bytes = object.bytes();
        let (cells, conditions) = match object.value() {
            Ok(value) => (self.columns.cells(&value, self.clock), self.columns.conditions(&value)),
            Err(_) => (Vec::new(), None),
        };
        out.extend_from_slice(br#"{"cells":"#);
        // Writing JSON values to memory does not fail.
        let _ = write_go_json(out, &cells);
        if let Some(conditions) = conditions {
            out.extend_from_slice(br#","conditions":"#);
            let _ = write_go_json(out, &conditions);
        }
        out.extend_from_slice(br#","object":"#);
        match self.include {
            IncludeObject::Object => out.extend_from_slice(bytes),
            IncludeObject::None if !ends_initial_events(bytes) => out.extend_from_slice(b"null"),
            _ => push_metadata(row, self.version, bytes, out),
        }
        out.push(b'}');
    }
}

/// A watch's bookmark that ends the initial events is told by its metadata, which is sent even where none is wanted.
fn ends_initial_events(object: &[u8]) -> bool {
    let annotations = raw::field(object, "metadata").and_then(|metadata| raw::field(metadata, "annotations"));
    annotations.and_then(|annotations| raw::field(annotations, "k8s.io/initial-events-end")) == Some(br#""true""#)
}

fn push_metadata(row: &Row, version: &str, object: &[u8], out: &mut Vec<u8>) {
    let metadata = raw::field(object, "metadata").unwrap_or(b"{}");
    out.extend_from_slice(br#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/"#);
    out.extend_from_slice(version.as_bytes());
    out.extend_from_slice(br#"","metadata":"#);
    match apimachinery::json::parse(metadata) {
        // A custom resource's is sorted; in a type of its own it is in the order of that.
        Ok(metadata) if row.is_custom() => {
            let _ = write_go_json(out, &Declared::of("meta.v1", "ObjectMeta", &metadata));
        }
        _ => out.extend_from_slice(metadata),
    }
    out.push(b'}');
}

/// What upstream calls the type of a kind's objects in its messages.
fn go_type(row: &Row) -> String {
    if row.is_custom() {
        return "unstructured.Unstructured".to_owned();
    }
    let package = match row.gvr.group.split('.').next() {
        None | Some("") => "core",
        Some(package) => package,
    };
    format!("{package}.{}", row.kind)
}

/// The resourceVersion in an object's text: digits, so no escapes.
fn resource_version(object: &[u8]) -> &str {
    let version = raw::field(object, "metadata").and_then(|metadata| raw::field(metadata, "resourceVersion"));
    version.and_then(|text| std::str::from_utf8(text).ok()).map(|text| text.trim_matches('"')).unwrap_or_default()
}

fn not_acceptable(message: String) -> StatusError {
    StatusError::new(406, Reason::NotAcceptable, message)
}

//! The field table: every message of a built-in kind, read from `data/messages.txt` on first use.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A message and how its JSON form is made.
#[derive(Debug)]
pub(crate) struct Message {
    pub name: &'static str,
    pub shape: Shape,
    /// In ascending order of number, which is the order of encoding.
    pub fields: Box<[Field]>,
}

impl Message {
    pub fn field(&self, number: u32) -> Option<&Field> {
        // Most messages number their fields 1, 2, 3… without a gap.
        let guess = self.fields.get((number as usize).wrapping_sub(1));
        guess.filter(|field| field.number == number).or_else(|| {
            let at = self.fields.binary_search_by_key(&number, |field| field.number).ok()?;
            self.fields.get(at)
        })
    }

    pub fn field_named(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// The JSON form of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Object,
    /// The list in the message's only field.
    Items,
    SchemaOrArray,
    SchemaOrBool,
    SchemaOrStrings,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub number: u32,
    /// The name in JSON; empty when inline.
    pub name: &'static str,
    pub cardinality: Cardinality,
    pub kind: Type,
    pub pointer: bool,
    pub omit_empty: bool,
    pub omit_zero: bool,
    /// The message's fields stand in the parent's JSON object.
    pub inline: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cardinality {
    Singular,
    Repeated,
    Map,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    String,
    Bytes,
    Bool,
    Int32,
    Int64,
    Double,
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    /// JSON text in a message's field 1: `RawExtension`, `FieldsV1` and the JSON of schemas.
    Raw,
    /// An index into [`Table::messages`].
    Message(usize),
}

pub(crate) struct Table {
    messages: Vec<Message>,
    /// From apiVersion and kind to the message.
    kinds: HashMap<(&'static str, &'static str), usize>,
    api_versions: Vec<&'static str>,
}

/// Kinds of meta/v1 that every group version has.
const IN_EVERY_VERSION: [&str; 7] =
    ["CreateOptions", "DeleteOptions", "GetOptions", "ListOptions", "PatchOptions", "UpdateOptions", "WatchEvent"];

/// Kinds of meta/v1 whose apiVersion is `v1`.
const UNVERSIONED: [&str; 5] = ["APIGroup", "APIGroupList", "APIResourceList", "APIVersions", "Status"];

const META: &str = "meta.k8s.io/v1";

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("../data/messages.txt")));

/// The table of the built-in kinds.
pub(crate) fn table() -> &'static Table {
    &TABLE
}

impl Table {
    /// The message of a kind.
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<&Message> {
        let of_meta = (IN_EVERY_VERSION.contains(&kind) && self.api_versions.contains(&api_version))
            || (api_version == "v1" && UNVERSIONED.contains(&kind));
        let found = match self.kinds.get(&(api_version, kind)) {
            None if of_meta => self.kinds.get(&(META, kind)),
            found => found,
        };
        found.map(|&index| self.message(index))
    }

    /// The message of a [`Type::Message`].
    pub fn message(&self, index: usize) -> &Message {
        &self.messages[index]
    }

    /// Reads the data, which is part of the program: a test reads all of it.
    fn parse(data: &'static str) -> Table {
        let mut index = HashMap::new();
        let mut package = "";
        for words in rows(data) {
            match words[..] {
                ["package", name, ..] => package = name,
                [first, name] if !is_number(first) => {
                    index.insert((package, name), index.len());
                }
                _ => {}
            }
        }
        let mut table =
            Table { messages: Vec::with_capacity(index.len()), kinds: HashMap::new(), api_versions: Vec::new() };
        let mut api_version = None;
        let mut fields = Vec::new();
        let mut current: Option<(&'static str, Shape)> = None;
        for words in rows(data) {
            match words[..] {
                ["package", name, ref version @ ..] => {
                    table.close(&mut current, &mut fields);
                    package = name;
                    api_version = version.first().copied();
                    table.api_versions.extend(api_version);
                }
                [number, name, kind, ref flags @ ..] => {
                    let number = number.parse().unwrap_or_else(|_| panic!("{package}: field number {number}"));
                    fields.push(Field::new(number, name, kind, flags.first().unwrap_or(&""), package, &index));
                }
                [form, name] => {
                    table.close(&mut current, &mut fields);
                    if let ("kind", Some(version)) = (form, api_version) {
                        table.kinds.insert((version, name), index[&(package, name)]);
                    }
                    current = Some((name, Shape::named(form)));
                }
                _ => panic!("{package}: {words:?}"),
            }
        }
        table.close(&mut current, &mut fields);
        table
    }

    fn close(&mut self, current: &mut Option<(&'static str, Shape)>, fields: &mut Vec<Field>) {
        if let Some((name, shape)) = current.take() {
            fields.sort_by_key(|field| field.number);
            self.messages.push(Message { name, shape, fields: std::mem::take(fields).into_boxed_slice() });
        }
    }
}

fn rows(data: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    data.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect())
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

impl Shape {
    fn named(form: &str) -> Shape {
        match form {
            "kind" | "message" => Shape::Object,
            "items" => Shape::Items,
            "schema-or-array" => Shape::SchemaOrArray,
            "schema-or-bool" => Shape::SchemaOrBool,
            "schema-or-strings" => Shape::SchemaOrStrings,
            _ => panic!("unknown form {form}"),
        }
    }
}

impl Field {
    fn new(
        number: u32,
        name: &'static str,
        kind: &'static str,
        flags: &str,
        package: &'static str,
        index: &HashMap<(&'static str, &'static str), usize>,
    ) -> Field {
        let (cardinality, kind) = match (kind.strip_prefix("[]"), kind.strip_prefix("{}")) {
            (Some(kind), _) => (Cardinality::Repeated, kind),
            (_, Some(kind)) => (Cardinality::Map, kind),
            _ => (Cardinality::Singular, kind),
        };
        let kind = match kind {
            "string" => Type::String,
            "bytes" => Type::Bytes,
            "bool" => Type::Bool,
            "int32" => Type::Int32,
            "int64" => Type::Int64,
            "double" => Type::Double,
            "time" => Type::Time,
            "microtime" => Type::MicroTime,
            "quantity" => Type::Quantity,
            "intorstring" => Type::IntOrString,
            "raw" => Type::Raw,
            message => {
                let key = message.rsplit_once('.').unwrap_or((package, message));
                Type::Message(*index.get(&key).unwrap_or_else(|| panic!("{package}: unknown type {message}")))
            }
        };
        let inline = flags.contains('~');
        Field {
            number,
            name: if inline { "" } else { name },
            cardinality,
            kind,
            pointer: flags.contains('*'),
            omit_empty: flags.contains('-'),
            omit_zero: flags.contains('0'),
            inline,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table_is_read() {
        let table = table();
        assert_eq!(table.api_versions.len(), 25);
        assert!(table.messages.len() > 600, "{}", table.messages.len());
        let pod = table.kind("v1", "Pod").unwrap();
        assert_eq!(pod.fields.iter().map(|field| field.name).collect::<Vec<_>>(), ["metadata", "spec", "status"]);
        for message in &table.messages {
            for field in &message.fields {
                assert!(std::ptr::eq(message.field(field.number).unwrap(), field), "{} {}", message.name, field.name);
                assert!(!field.inline || matches!(field.kind, Type::Message(_)), "{} {}", message.name, field.number);
            }
        }
    }

    #[test]
    fn kinds_of_meta_stand_in_the_versions_that_know_them() {
        let known = |api_version, kind| table().kind(api_version, kind).is_some();
        assert!(known("v1", "Status") && known("v1", "APIResourceList"));
        assert!(!known("apps/v1", "Status"));
        assert!(known("apps/v1", "DeleteOptions") && known("v1", "DeleteOptions") && known(META, "DeleteOptions"));
        assert!(known(META, "PartialObjectMetadata") && !known("v1", "PartialObjectMetadata"));
        assert!(!known("example.com/v1", "DeleteOptions"));
    }
}

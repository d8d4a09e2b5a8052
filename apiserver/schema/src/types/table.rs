//! The table of types: every message of a built-in kind, read from `data/types.txt` on first use.

use std::sync::{LazyLock, OnceLock};

use foldhash::{HashMap, HashMapExt};

use super::names::Names;

/// A Go type, its JSON form and its protobuf message.
#[derive(Debug)]
pub struct Message {
    /// The type's own name.
    pub name: &'static str,
    /// The form of its JSON.
    pub shape: Shape,
    /// As Go declares them.
    pub fields: Box<[Field]>,
    /// Whether its objects have apiVersion and kind.
    has_type_meta: bool,
    /// Indices of `fields` in ascending order of number.
    by_number: Box<[u16]>,
    names: OnceLock<Names>,
}

impl Message {
    /// The fields in ascending order of number, which is the order of encoding.
    pub fn in_wire_order(&self) -> impl DoubleEndedIterator<Item = &Field> {
        self.by_number.iter().map(|&at| &self.fields[usize::from(at)])
    }

    /// The field of that number.
    pub fn field(&self, number: u32) -> Option<&Field> {
        let of = |at: &u16| &self.fields[usize::from(*at)];
        // Most messages number their fields 1, 2, 3… without a gap.
        let guess = self.by_number.get((number as usize).wrapping_sub(1)).map(of);
        guess.filter(|field| field.number == number).or_else(|| {
            let at = self.by_number.binary_search_by_key(&number, |at| of(at).number).ok()?;
            self.by_number.get(at).map(of)
        })
    }

    /// The field of that JSON name; those of inline fields are not looked for.
    pub fn field_named(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// What an object's keys are ordered by.
    pub(crate) fn names(&'static self) -> &'static Names {
        self.names.get_or_init(|| {
            let mut names = Vec::with_capacity(self.fields.len() + 2);
            if self.has_type_meta {
                names.extend([("kind", None), ("apiVersion", None)]);
            }
            self.push_names(&mut names);
            Names::declared(names)
        })
    }

    fn push_names(&'static self, names: &mut Vec<(&'static str, Option<&'static Field>)>) {
        for field in &self.fields {
            match field.kind {
                Type::Message(index) if field.inline => table().message(index).push_names(names),
                _ => names.push((field.name, Some(field))),
            }
        }
    }
}

/// The JSON form of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// An object of its fields.
    Object,
    /// The list in the message's only field.
    Items,
    /// A JSON schema, or a list of them.
    SchemaOrArray,
    /// A JSON schema, or a boolean.
    SchemaOrBool,
    /// A JSON schema, or a list of strings.
    SchemaOrStrings,
}

/// A field of a type.
#[derive(Debug)]
pub struct Field {
    /// Its number in protobuf.
    pub number: u32,
    /// The name in JSON; empty when inline.
    pub name: &'static str,
    /// How many values it has.
    pub cardinality: Cardinality,
    /// What each value is.
    pub kind: Type,
    /// A pointer in Go: absent when nil.
    pub pointer: bool,
    /// Its JSON tag has omitempty.
    pub omit_empty: bool,
    /// Its JSON tag has omitzero.
    pub omit_zero: bool,
    /// The message's fields stand in the parent's JSON object.
    pub inline: bool,
}

/// How many values a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cardinality {
    /// One.
    Singular,
    /// A list.
    Repeated,
    /// A map from strings.
    Map,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Text.
    String,
    /// `[]byte`, base64 in JSON.
    Bytes,
    /// A boolean.
    Bool,
    /// An integer of 32 bits.
    Int32,
    /// An integer of 64 bits.
    Int64,
    /// A float.
    Double,
    /// RFC 3339 in whole seconds.
    Time,
    /// RFC 3339 in microseconds.
    MicroTime,
    /// A quantity.
    Quantity,
    /// An integer of 32 bits, or text.
    IntOrString,
    /// JSON text in a message's field 1: `RawExtension` and the JSON of schemas.
    Raw,
    /// JSON text in a message's field 1: `FieldsV1`, whose keys are in the order of path elements.
    Fields,
    /// An index into `Table::messages`.
    Message(usize),
}

/// All types.
pub struct Table {
    pub(super) messages: Vec<Message>,
    /// From package and name to the message.
    index: HashMap<(&'static str, &'static str), usize>,
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

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("../../data/types.txt")));

/// The table of the built-in kinds. The first call reads it.
pub fn table() -> &'static Table {
    &TABLE
}

impl Table {
    /// The message of a kind.
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<&Message> {
        self.kind_index(api_version, kind).map(|index| self.message(index))
    }

    pub(crate) fn kind_index(&self, api_version: &str, kind: &str) -> Option<usize> {
        let of_meta = (IN_EVERY_VERSION.contains(&kind) && self.api_versions.contains(&api_version))
            || (api_version == "v1" && UNVERSIONED.contains(&kind));
        let found = match self.kinds.get(&(api_version, kind)) {
            None if of_meta => self.kinds.get(&(META, kind)),
            found => found,
        };
        found.copied()
    }

    /// The message of a type by its package and name: `core.v1`, `PodSpec`.
    pub fn named(&self, package: &str, name: &str) -> Option<&Message> {
        self.index_of(package, name).map(|index| self.message(index))
    }

    pub(crate) fn index_of(&self, package: &str, name: &str) -> Option<usize> {
        self.index.get(&(package, name)).copied()
    }

    /// The message of a [`Type::Message`].
    pub fn message(&self, index: usize) -> &Message {
        &self.messages[index]
    }

    /// Reads the data, which is part of the program: a test reads all of it.
    fn parse(data: &'static str) -> Table {
        // Types are named before they are stated: a first look is at the lines that name them.
        let mut index: HashMap<(&str, &str), usize> = HashMap::with_capacity(1024);
        let mut package = "";
        for line in lines(data).filter(|line| !line.starts_with(|first: char| first.is_ascii_digit())) {
            match line.split_once(' ') {
                Some(("package", rest)) => package = rest.split(' ').next().unwrap_or(rest),
                Some((_, name)) => {
                    index.insert((package, name), index.len());
                }
                None => {}
            }
        }
        let mut table = Table {
            messages: Vec::with_capacity(index.len()),
            index: HashMap::new(),
            kinds: HashMap::new(),
            api_versions: Vec::new(),
        };
        let mut api_version = None;
        let mut fields = Vec::new();
        let mut current: Option<(&'static str, &'static str)> = None;
        for line in lines(data) {
            let (words, count) = words(line);
            match words[..count] {
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
                    current = Some((name, form));
                }
                _ => panic!("{package}: {line}"),
            }
        }
        table.close(&mut current, &mut fields);
        table.index = index;
        table
    }

    fn close(&mut self, current: &mut Option<(&'static str, &'static str)>, fields: &mut Vec<Field>) {
        if let Some((name, form)) = current.take() {
            let mut by_number: Vec<u16> = (0_u16..).take(fields.len()).collect();
            by_number.sort_by_key(|&at| fields[usize::from(at)].number);
            self.messages.push(Message {
                name,
                shape: Shape::named(form),
                fields: std::mem::take(fields).into_boxed_slice(),
                has_type_meta: form == "kind",
                by_number: by_number.into(),
                names: OnceLock::new(),
            });
        }
    }
}

fn lines(data: &'static str) -> impl Iterator<Item = &'static str> {
    data.lines().filter(|line| !line.starts_with('#'))
}

/// The words of a line, and how many there are: at most four.
fn words(line: &'static str) -> ([&'static str; 4], usize) {
    let mut words = [""; 4];
    let count = words.iter_mut().zip(line.split(' ')).map(|(place, word)| *place = word).count();
    (words, count)
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

impl Cardinality {
    /// That of a type's text, and the type of each value.
    pub(crate) fn of(text: &str) -> (Cardinality, &str) {
        match (text.strip_prefix("[]"), text.strip_prefix("{}")) {
            (Some(kind), _) => (Cardinality::Repeated, kind),
            (_, Some(kind)) => (Cardinality::Map, kind),
            _ => (Cardinality::Singular, text),
        }
    }
}

impl Type {
    /// The type of that name; `message` finds those that are no scalars.
    pub(crate) fn named(name: &str, message: impl FnOnce(&str) -> Option<usize>) -> Option<Type> {
        Some(match name {
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
            "fields" => Type::Fields,
            name => Type::Message(message(name)?),
        })
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
        let (cardinality, kind) = Cardinality::of(kind);
        let kind = Type::named(kind, |message| {
            let key = message.rsplit_once('.').unwrap_or((package, message));
            index.get(&key).copied()
        })
        .unwrap_or_else(|| panic!("{package}: unknown type {kind}"));
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

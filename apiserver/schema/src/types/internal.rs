//! The internal types, read from `data/internal.txt` when an error first shows one.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::table::{Cardinality, Field, Table, Type, table};

/// A type without JSON tags.
#[derive(Debug)]
pub(crate) struct Internal {
    /// `core.PodSpec`.
    pub name: String,
    /// As Go declares them.
    pub fields: Vec<InternalField>,
}

#[derive(Debug)]
pub(crate) struct InternalField {
    pub name: &'static str,
    pub source: Source,
    pub cardinality: Cardinality,
    pub kind: Type,
    pub pointer: bool,
}

/// Where the value of a field is in the versioned object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Under this name.
    Key(&'static str),
    /// Under this name; the fields of the value stand in the parent.
    Inline(&'static str),
    /// It is the object itself.
    Whole,
    /// It is the object itself, and its fields stand in the parent.
    Embedded,
}

#[derive(Default)]
pub(crate) struct Internals {
    types: Vec<Internal>,
    by_name: HashMap<String, usize>,
    by_versioned: HashMap<usize, usize>,
}

static INTERNALS: LazyLock<Internals> =
    LazyLock::new(|| Internals::parse(include_str!("../../data/internal.txt"), table()));

/// All internal types.
pub(crate) fn internals() -> &'static Internals {
    &INTERNALS
}

impl Internals {
    /// The type of that name (`core.PodSpec`).
    pub fn named(&self, name: &str) -> Option<&Internal> {
        self.by_name.get(name).map(|&at| &self.types[at])
    }

    /// The internal form of a versioned type.
    pub fn of(&self, versioned: usize) -> Option<&Internal> {
        self.by_versioned.get(&versioned).map(|&at| &self.types[at])
    }

    /// Reads the data, which is part of the program: a test reads all of it.
    fn parse(data: &'static str, table: &Table) -> Internals {
        let mut all = Internals::default();
        let (mut package, mut versioned) = ("", "");
        for line in data.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split(' ');
            let first = words.next().unwrap_or_default();
            if first == "package" {
                package = words.next().unwrap_or_default();
                versioned = words.next().unwrap_or_default();
                continue;
            }
            let index = table.index_of(versioned, first).unwrap_or_else(|| panic!("{versioned}: no type {first}"));
            let fields = words
                .map(|word| InternalField::parse(word, versioned, index, table))
                .map(|field| field.unwrap_or_else(|word| panic!("{package}.{first}: {word}")))
                .collect();
            let name = format!("{package}.{first}");
            all.by_name.insert(name.clone(), all.types.len());
            all.by_versioned.insert(index, all.types.len());
            all.types.push(Internal { name, fields });
        }
        all
    }
}

impl InternalField {
    fn parse(word: &'static str, package: &str, parent: usize, table: &Table) -> Result<Self, &'static str> {
        let fields = &table.message(parent).fields;
        let of = |field: &Field, name, source| Self {
            name,
            source,
            cardinality: field.cardinality,
            kind: field.kind,
            pointer: field.pointer,
        };
        let inline = |name: &str| {
            fields.iter().find(|field| match field.kind {
                Type::Message(index) => field.inline && table.message(index).name == name,
                _ => false,
            })
        };
        if let Some(name) = word.strip_prefix('+') {
            return match name {
                "ObjectMeta" => {
                    let field = fields.iter().find(|field| field.name == "metadata").ok_or(word)?;
                    Ok(of(field, name, Source::Inline("metadata")))
                }
                _ => inline(name).map(|field| of(field, name, Source::Embedded)).ok_or(word),
            };
        }
        let (word, by_value) = word.strip_suffix('!').map_or((word, false), |word| (word, true));
        let (names, given) = word.split_once(':').map_or((word, None), |(names, given)| (names, Some(given)));
        let (name, key) = names.split_once('=').map_or((names, None), |(name, key)| (name, Some(key)));
        if key == Some(".") {
            return inline(name).map(|field| of(field, name, Source::Whole)).ok_or(word);
        }
        if let Some(given) = given {
            let (given, pointer) = given.strip_prefix('*').map_or((given, false), |given| (given, true));
            let (cardinality, kind) = Cardinality::of(given);
            let kind = Type::named(kind, |message| table.index_of(package, message)).ok_or(word)?;
            return Ok(Self { name, source: Source::Key(key.ok_or(word)?), cardinality, kind, pointer });
        }
        let field = fields.iter().find(|field| match key {
            Some(key) => field.name == key,
            None => field.name.eq_ignore_ascii_case(name),
        });
        let field = field.ok_or(word)?;
        let mut made = of(field, name, Source::Key(field.name));
        made.pointer &= !by_value;
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table_is_read() {
        let all = internals();
        assert!(all.types.len() > 450, "{}", all.types.len());
        let names = |name: &str| all.named(name).unwrap().fields.iter().map(|field| field.name).collect::<Vec<_>>();
        assert_eq!(names("core.Taint"), ["Key", "Value", "Effect", "TimeAdded"]);
        assert_eq!(names("core.Volume"), ["Name", "VolumeSource"]);
        let replicas = &all.named("apps.DeploymentSpec").unwrap().fields[0];
        assert!(!replicas.pointer && replicas.source == Source::Key("replicas"));
    }
}

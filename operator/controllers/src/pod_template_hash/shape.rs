//! The shape of Go's types, read from `go_types.txt`.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A field of a struct.
pub struct Field {
    /// Its name in Go.
    pub name: &'static str,
    /// Its name in JSON; `None` when it is embedded: its fields are the struct's own in JSON.
    pub json: Option<&'static str>,
    /// Its type as Go prints it.
    pub type_: &'static str,
}

/// What a type is made of.
pub enum Shape {
    /// A struct's fields in the order of declaration.
    Struct(Vec<Field>),
    /// The type under a named one.
    Named(&'static str),
}

static SHAPES: LazyLock<HashMap<&'static str, Shape>> =
    LazyLock::new(|| include_str!("go_types.txt").lines().filter_map(line).collect());

fn line(line: &'static str) -> Option<(&'static str, Shape)> {
    if line.starts_with('#') {
        return None;
    }
    if let Some((name, under)) = line.split_once(" = ") {
        return Some((name, Shape::Named(under)));
    }
    let (name, fields) = line.split_once(": ")?;
    Some((name, Shape::Struct(fields.split("; ").filter_map(field).collect())))
}

fn field(text: &'static str) -> Option<Field> {
    let mut parts = text.split(' ');
    let (name, json, type_) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Field { name, json: (json != "-").then_some(json), type_ })
}

/// The shape of a named type; `None` for Go's own types.
pub fn of(type_: &str) -> Option<&'static Shape> {
    SHAPES.get(type_)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_is_used_is_known() {
        let own = ["string", "bool", "int32", "int64", "v1.Time", "v1.FieldsV1", "types.UID", "resource.Quantity"];
        let mut wanted = vec!["v1.PodTemplateSpec"];
        let mut seen = std::collections::HashSet::new();
        while let Some(type_) = wanted.pop() {
            let bare = type_.trim_start_matches(['*', '[', ']']);
            if let Some((key, value)) = bare.strip_prefix("map[").and_then(|rest| rest.split_once(']')) {
                wanted.extend([key, value]);
            } else if !own.contains(&bare) && bare != "intstr.IntOrString" && seen.insert(bare) {
                match of(bare) {
                    Some(Shape::Struct(fields)) => wanted.extend(fields.iter().map(|field| field.type_)),
                    Some(Shape::Named(under)) => wanted.push(under),
                    None => panic!("{type_} is not in go_types.txt"),
                }
            }
        }
        assert!(seen.len() > 100, "{}", seen.len());
    }
}

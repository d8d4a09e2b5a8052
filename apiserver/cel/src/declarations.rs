//! The functions that expressions may call: their overloads, as a table.

mod table;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use crate::types::Type;

/// One way to call a function.
#[derive(Debug)]
pub(crate) struct Overload {
    /// Upstream's name of it, by which costs are known.
    pub(crate) id: &'static str,
    /// Whether the first argument stands before the dot.
    pub(crate) member: bool,
    pub(crate) arguments: Vec<Type>,
    pub(crate) result: Type,
    /// The names of its type parameters.
    pub(crate) parameters: Vec<Arc<str>>,
}

/// The overloads of each function, in upstream's order.
static FUNCTIONS: LazyLock<HashMap<&'static str, Vec<Overload>>> = LazyLock::new(|| {
    let mut functions: HashMap<_, Vec<Overload>> = HashMap::new();
    for line in table::OVERLOADS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (function, overload) = read(line).unwrap_or_else(|| unreachable!("the table's line {line:?}"));
        functions.entry(function).or_default().push(overload);
    }
    functions
});

/// The overloads of a function.
pub(crate) fn overloads(function: &str) -> Option<&'static [Overload]> {
    FUNCTIONS.get(function).map(Vec::as_slice)
}

/// The types that expressions may name, such as `int`.
pub(crate) fn type_named(name: &str) -> Option<Type> {
    Some(match name {
        "bool" => Type::Bool,
        "bytes" => Type::Bytes,
        "double" => Type::Double,
        "google.protobuf.Duration" => Type::Duration,
        "int" => Type::Int,
        "list" => Type::list(Type::Dyn),
        "map" => Type::map(Type::Dyn, Type::Dyn),
        "null_type" => Type::Null,
        "string" => Type::String,
        "google.protobuf.Timestamp" => Type::Timestamp,
        "type" => Type::Meta(None),
        "uint" => Type::Uint,
        "optional_type" => Type::optional(Type::Dyn),
        "net.IP" => Type::Opaque("net.IP", Vec::new()),
        "net.CIDR" => Type::Opaque("net.CIDR", Vec::new()),
        _ => return None,
    })
}

/// Reads `function overload [.](arguments) -> result`; a dot says that the first argument stands before the function.
fn read(line: &'static str) -> Option<(&'static str, Overload)> {
    let (function, rest) = line.split_once(' ')?;
    let (id, rest) = rest.split_once(' ')?;
    let (rest, member) = rest.strip_prefix('.').map_or((rest, false), |rest| (rest, true));
    let (arguments, result) = rest.rsplit_once(" -> ")?;
    let arguments = types(arguments.strip_prefix('(')?.strip_suffix(')')?)?;
    let result = types(result)?.pop()?;
    let mut parameters = Vec::new();
    arguments.iter().chain([&result]).for_each(|of| collect(of, &mut parameters));
    Some((function, Overload { id, member, arguments, result, parameters }))
}

fn types(text: &'static str) -> Option<Vec<Type>> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, char) in text.char_indices() {
        match char {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).map(read_type).collect()
}

fn read_type(text: &'static str) -> Option<Type> {
    if let Some((name, inner)) = text.split_once('(') {
        let mut inner = types(inner.strip_suffix(')')?)?;
        return Some(match name {
            "list" => Type::list(inner.pop()?),
            "map" => {
                let value = inner.pop()?;
                Type::map(inner.pop()?, value)
            }
            "optional" => Type::optional(inner.pop()?),
            "type" => Type::Meta(Some(Arc::new(inner.pop()?))),
            _ => return None,
        });
    }
    Some(match text {
        "dyn" => Type::Dyn,
        "duration" => Type::Duration,
        "timestamp" => Type::Timestamp,
        "A" | "B" | "K" | "V" | "T" => Type::Param(text.into()),
        "bool" | "int" | "uint" | "double" | "string" | "bytes" => type_named(text)?,
        _ => Type::Opaque(text, Vec::new()),
    })
}

fn collect(of: &Type, parameters: &mut Vec<Arc<str>>) {
    match of {
        Type::Param(name) if !parameters.contains(name) => parameters.push(name.clone()),
        Type::List(inner) | Type::Meta(Some(inner)) => collect(inner, parameters),
        Type::Map(key, value) => [key, value].into_iter().for_each(|of| collect(of, parameters)),
        Type::Opaque(_, inner) => inner.iter().for_each(|of| collect(of, parameters)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_an_overload_with_a_name_of_its_own() {
        let mut ids = std::collections::BTreeSet::new();
        for line in table::OVERLOADS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (function, overload) = read(line).unwrap_or_else(|| panic!("{line}"));
            assert!(ids.insert((function, overload.id)), "twice: {line}");
            assert!(!overload.member || !overload.arguments.is_empty(), "{line}");
        }
        assert!(overloads("_+_").is_some_and(|found| found.len() == 9));
    }
}

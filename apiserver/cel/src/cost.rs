//! What a call costs when it is evaluated: cel-go's reckoning and Kubernetes'.

use crate::value::Value;

/// What reading one character costs.
pub(crate) const PER_CHARACTER: f64 = 0.1;

/// What one character of a regular expression costs, of which upstream supposes four to make a state.
pub(crate) const PER_PATTERN_CHARACTER: f64 = 0.25;

fn scaled(size: u64, factor: f64) -> u64 {
    (size as f64 * factor).ceil() as u64
}

/// The cost of a call of `overload` (empty if it is one of several) with its values and result.
pub(crate) fn of_call(function: &str, overload: &str, values: &[Value<'_>], result: Option<&Value<'_>>) -> u64 {
    of_extension(overload, values, result)
        .or_else(|| of_library(function, overload, values, result))
        .unwrap_or_else(|| of_standard(overload, values))
}

/// The costs that cel-go's own extensions bring for their overloads.
fn of_extension(overload: &str, values: &[Value<'_>], result: Option<&Value<'_>>) -> Option<u64> {
    let list = |factor: f64, size: u64| Some((size as f64 * factor) as u64 + 1 + 10);
    match overload {
        "list_sets_contains_list" | "list_sets_intersects_list" | "list_sets_equivalent_list" => {
            let pairs = size(values, 0).saturating_mul(size(values, 1));
            let times = if overload == "list_sets_equivalent_list" { 2 } else { 1 };
            Some(pairs.saturating_mul(times).saturating_add(1))
        }
        "list_slice" | "lists_range" | "list_reverse" => list(1.0, result.map_or(1, Value::cost_size)),
        "list_flatten" | "list_flatten_int" => {
            let depth = match values.get(1) {
                Some(Value::Int(depth)) => *depth as f64,
                _ => 1.0,
            };
            list(depth, size(values, 0))
        }
        "list_distinct" => compared_with_itself(values.first()?),
        _ if overload.ends_with("_sort") => compared_with_itself(values.first()?),
        _ if overload.ends_with("_sortByAssociatedKeys") => compared_with_itself(values.get(1)?),
        _ => None,
    }
}

/// Every item compared with every other.
fn compared_with_itself(value: &Value<'_>) -> Option<u64> {
    let Value::List(list) = value else { return None };
    let factor = match list.get(0) {
        Some(Ok(Value::String(_) | Value::Bytes(_))) => 2.0 + PER_CHARACTER,
        _ => 2.0,
    };
    let pairs = (list.len() as u64).saturating_mul(list.len() as u64);
    Some((pairs as f64 * factor) as u64 + 1 + 10)
}

fn size(values: &[Value<'_>], at: usize) -> u64 {
    values.get(at).map_or(1, Value::cost_size)
}

fn matching(text: u64, pattern: u64) -> u64 {
    scaled(text + 1, PER_CHARACTER) * scaled(pattern, PER_PATTERN_CHARACTER)
}

fn of_library(function: &str, overload: &str, values: &[Value<'_>], result: Option<&Value<'_>>) -> Option<u64> {
    let first = size(values, 0);
    Some(match function {
        "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" => values.first().map_or(0, traversal),
        "url" | "lowerAscii" | "upperAscii" | "substring" | "trim" | "cidr" | "isIP" | "isCIDR" | "quantity"
        | "isQuantity" | "semver" | "isSemver" => scaled(first, PER_CHARACTER),
        "replace" | "split" | "ip.isCanonical" => scaled(first, 2.0 * PER_CHARACTER),
        "join" => scaled(result.map_or(1, Value::cost_size), 2.0 * PER_CHARACTER),
        "find" | "findAll" => matching(first, size(values, 1)),
        "ip" if overload == "cidr_ip" => 1,
        "ip" => scaled(first, PER_CHARACTER),
        "containsIP" | "containsCIDR" => {
            let mut cost = scaled(2 * first, PER_CHARACTER);
            if function == "containsCIDR" {
                cost += scaled(first, PER_CHARACTER) + 1;
            }
            if overload.ends_with("_string") {
                cost += scaled(size(values, 1), PER_CHARACTER);
            }
            cost
        }
        // The regular expressions of formats are taken to be this long.
        "validate" => matching(size(values, 1), 128),
        "_==_" if matches!(values.first(), Some(Value::Opaque(_))) => 1,
        _ => return None,
    })
}

/// Whether an overload reads both its values as far as the shorter one goes: equality, and the order of text and bytes.
pub(crate) fn compares_lengths(overload: &str) -> bool {
    matches!(
        overload,
        "less_string"
            | "greater_string"
            | "less_equals_string"
            | "greater_equals_string"
            | "less_bytes"
            | "greater_bytes"
            | "less_equals_bytes"
            | "greater_equals_bytes"
            | "equals"
            | "not_equals"
    )
}

fn of_standard(overload: &str, values: &[Value<'_>]) -> u64 {
    let sizes = (size(values, 0), size(values, 1));
    match overload {
        "starts_with_string" | "ends_with_string" | "string_to_bytes" | "bytes_to_string" | "strings_quote"
        | "string_format" => scaled(sizes.0, PER_CHARACTER),
        "in_list" => sizes.1,
        overload if compares_lengths(overload) => scaled(sizes.0.min(sizes.1), PER_CHARACTER),
        "add_string" | "add_bytes" => scaled(sizes.0 + sizes.1, PER_CHARACTER),
        "matches_string" => matching(sizes.0, sizes.1),
        "contains_string" => scaled(sizes.0, PER_CHARACTER) * scaled(sizes.1, PER_CHARACTER),
        _ => 1,
    }
}

/// The cost of reading all of a value.
fn traversal(value: &Value<'_>) -> u64 {
    match value {
        Value::String(text) => (text.len() as f64 * PER_CHARACTER) as u64,
        Value::Bytes(bytes) => (bytes.len() as f64 * PER_CHARACTER) as u64,
        Value::List(list) => list.iter().flatten().map(|item| traversal(&item)).sum(),
        Value::Map(map) => {
            let entries = map.entries().unwrap_or_default();
            entries.iter().map(|(key, value)| traversal(key) + traversal(value)).sum()
        }
        _ => 1,
    }
}

//! Lists, maps and sets.

use std::cmp::Ordering;

use crate::interpreter::{Error, Result};
use crate::value::{List, Value};

pub(super) fn call<'a>(function: &str, overload: &str, values: &[Value<'a>]) -> Option<Result<Value<'a>>> {
    Some(match (function, values) {
        ("size", [Value::List(list)]) => Ok(Value::Int(list.len() as i64)),
        ("size", [Value::Map(map)]) => Ok(Value::Int(map.len() as i64)),
        ("@in", [wanted, Value::List(list)]) => list.contains(wanted).map(Value::Bool),
        ("@in", [wanted, Value::Map(map)]) => Ok(Value::Bool(map.get(wanted).is_some())),
        ("isSorted", [Value::List(list)]) => is_sorted(list),
        ("sum", [Value::List(list)]) => sum(list, overload),
        ("min" | "max", [Value::List(list)]) => extreme(function, list),
        ("indexOf" | "lastIndexOf", [Value::List(list), wanted]) => index_of(function == "indexOf", list, wanted),
        ("slice", [Value::List(list), Value::Int(from), Value::Int(to)]) => slice(list, *from, *to),
        ("flatten", [Value::List(list)]) => flattened(list, 1),
        ("flatten", [Value::List(list), Value::Int(depth)]) => match u32::try_from(*depth) {
            Ok(depth) => flattened(list, depth),
            Err(_) => Err(Error::new("level must be non-negative")),
        },
        ("sort", [Value::List(list)]) => sorted(list, list),
        ("@sortByAssociatedKeys", [Value::List(list), Value::List(keys)]) => sorted(list, keys),
        ("lists.range", [Value::Int(end)]) => range(*end),
        ("reverse", [Value::List(list)]) => list.to_vec().map(|mut items| {
            items.reverse();
            Value::list(items)
        }),
        ("distinct", [Value::List(list)]) => distinct(list),
        ("sets.contains", [Value::List(list), Value::List(other)]) => contains_all(list, other).map(Value::Bool),
        ("sets.equivalent", [Value::List(list), Value::List(other)]) => {
            contains_all(list, other).and_then(|all| Ok(Value::Bool(all && contains_all(other, list)?)))
        }
        ("sets.intersects", [Value::List(list), Value::List(other)]) => intersects(list, other),
        _ => return None,
    })
}

fn contains_all(list: &List<'_>, other: &List<'_>) -> Result<bool> {
    for item in other.iter() {
        if !list.contains(&item?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn intersects<'a>(list: &List<'a>, other: &List<'a>) -> Result<Value<'a>> {
    for item in other.iter() {
        if list.contains(&item?)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn is_sorted<'a>(list: &List<'a>) -> Result<Value<'a>> {
    let items = list.to_vec()?;
    for pair in items.windows(2) {
        if pair[0].compare(&pair[1]).ok_or_else(Error::no_overload)? == Ordering::Greater {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

/// The sum of nothing is the zero of the list's type, which the overload tells.
fn sum<'a>(list: &List<'a>, overload: &str) -> Result<Value<'a>> {
    let mut total: Option<Value<'a>> = None;
    for item in list.iter() {
        let item = item?;
        total = Some(match total {
            None => item,
            Some(total) => super::call("_+_", "", false, &[total, item], None)?,
        });
    }
    Ok(total.unwrap_or(match overload {
        "list_uint_sum_uint" => Value::Uint(0),
        "list_double_sum_double" => Value::Double(0.0),
        "list_duration_sum_duration" => Value::Duration(0),
        _ => Value::Int(0),
    }))
}

fn extreme<'a>(function: &str, list: &List<'a>) -> Result<Value<'a>> {
    let wanted = if function == "min" { Ordering::Less } else { Ordering::Greater };
    let mut items = list.iter();
    let mut best = items.next().ok_or_else(|| Error::new(format!("{function} called on empty list")))??;
    for item in items {
        let item = item?;
        if item.compare(&best).ok_or_else(Error::no_overload)? == wanted {
            best = item;
        }
    }
    Ok(best)
}

fn index_of<'a>(first: bool, list: &List<'a>, wanted: &Value<'a>) -> Result<Value<'a>> {
    let items = list.to_vec()?;
    let mut found = items.iter().enumerate().filter(|(_, item)| item.equals(wanted)).map(|(at, _)| at as i64);
    Ok(Value::Int(if first { found.next() } else { found.next_back() }.unwrap_or(-1)))
}

fn slice<'a>(list: &List<'a>, from: i64, to: i64) -> Result<Value<'a>> {
    let length = list.len() as i64;
    let refuse = |why: String| Err(Error::new(why));
    if from < 0 || to < 0 {
        return refuse(format!("cannot slice({from}, {to}), negative indexes not supported"));
    }
    if from > to {
        return refuse(format!("cannot slice({from}, {to}), start index must be less than or equal to end index"));
    }
    if length < to {
        return refuse(format!("cannot slice({from}, {to}), list is length {length}"));
    }
    Ok(Value::list(list.to_vec()?[from as usize..to as usize].to_vec()))
}

fn flattened<'a>(list: &List<'a>, depth: u32) -> Result<Value<'a>> {
    // No value is nested deeper than JSON may be.
    fn into<'a>(list: &List<'a>, depth: u32, flat: &mut Vec<Value<'a>>) -> Result<()> {
        for item in list.iter() {
            match item? {
                Value::List(inner) if depth > 0 => into(&inner, depth - 1, flat)?,
                item => flat.push(item),
            }
        }
        Ok(())
    }
    let mut flat = Vec::new();
    into(list, depth, &mut flat)?;
    Ok(Value::list(flat))
}

fn sorted<'a>(list: &List<'a>, keys: &List<'a>) -> Result<Value<'a>> {
    if list.len() != keys.len() {
        let why = format!(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got {} and {} elements respectively.",
            list.len(),
            keys.len()
        );
        return Err(Error::new(why));
    }
    let mut pairs: Vec<(Value<'a>, Value<'a>)> = keys.to_vec()?.into_iter().zip(list.to_vec()?).collect();
    let mut comparable = true;
    pairs.sort_by(|(a, _), (b, _)| {
        a.compare(b).unwrap_or_else(|| {
            comparable = false;
            Ordering::Equal
        })
    });
    if !comparable {
        return Err(Error::new("list elements must have the same type"));
    }
    Ok(Value::list(pairs.into_iter().map(|(_, item)| item).collect()))
}

/// The longest list that is made of nothing.
const MAX_RANGE: i64 = 1_000_000;

fn range<'a>(end: i64) -> Result<Value<'a>> {
    if end > MAX_RANGE {
        return Err(Error::new("operation cancelled: actual cost limit exceeded"));
    }
    Ok(Value::list((0..end).map(Value::Int).collect()))
}

fn distinct<'a>(list: &List<'a>) -> Result<Value<'a>> {
    let mut kept: Vec<Value<'a>> = Vec::new();
    for item in list.iter() {
        let item = item?;
        if !kept.iter().any(|known| known.equals(&item)) {
            kept.push(item);
        }
    }
    Ok(Value::list(kept))
}

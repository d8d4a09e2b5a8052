//! Two values side by side.

use serde_json::{Map as Object, Value};

use super::ValidationErrors;
use super::validate::check_scalar;
use crate::schema::Scalar;

/// Refuses a scalar that neither side is. A side that is absent, or null, is any scalar.
pub(super) fn check_scalar_sides(
    scalar: Scalar,
    lhs: Option<&Value>,
    rhs: Option<&Value>,
) -> Result<(), ValidationErrors> {
    let check = |side: Option<&Value>, prefix| side.map_or(Ok(()), |value| check_scalar(scalar, value, prefix));
    match (check(lhs, "lhs: "), check(rhs, "rhs: ")) {
        (Err(mut left), Err(right)) => {
            left.extend(right);
            Err(left)
        }
        _ => Ok(()),
    }
}

/// The entries of two maps by key, in order.
pub(super) fn zip_entries<'a>(
    left: Option<&'a Object<String, Value>>,
    right: Option<&'a Object<String, Value>>,
) -> impl Iterator<Item = (&'a String, Option<&'a Value>, Option<&'a Value>)> {
    let entries = |side: Option<&'a Object<String, Value>>| {
        let mut entries = side.map(Object::iter);
        move || entries.as_mut().and_then(Iterator::next)
    };
    let (mut left, mut right) = (entries(left), entries(right));
    let (mut next_left, mut next_right) = (left(), right());
    std::iter::from_fn(move || {
        let order = match (next_left, next_right) {
            (None, None) => return None,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((l, _)), Some((r, _))) => l.cmp(r),
        };
        let l = if order.is_le() { std::mem::replace(&mut next_left, left()) } else { None };
        let r = if order.is_ge() { std::mem::replace(&mut next_right, right()) } else { None };
        let key = l.or(r)?.0;
        Some((key, l.map(|(_, v)| v), r.map(|(_, v)| v)))
    })
}

//! Lists, which are compared and joined as their kind of list is.

use std::sync::Arc;

use serde_json::Value as Json;

use super::Value;
use crate::decl_type::{DeclType, ListType};
use crate::interpreter::Error;
use crate::places::Places;

/// A list, of an object or made. What is joined to an object's list is of that list's kind.
#[derive(Clone, Debug)]
pub(crate) enum List<'a> {
    Json(&'a [Json], &'a DeclType, &'a ListType),
    Made(Arc<Vec<Value<'a>>>, &'a ListType),
}

impl<'a> List<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Json(items, ..) => items.len(),
            Self::Made(items, _) => items.len(),
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<Result<Value<'a>, Error>> {
        match self {
            Self::Json(items, of, _) => items.get(at).map(|item| Value::of_json(item, of)),
            Self::Made(items, _) => items.get(at).cloned().map(Ok),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Result<Value<'a>, Error>> + '_ {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// All elements.
    pub(crate) fn to_vec(&self) -> Result<Vec<Value<'a>>, Error> {
        self.iter().collect()
    }

    fn list_type(&self) -> &'a ListType {
        match self {
            Self::Json(_, _, list_type) | Self::Made(_, list_type) => list_type,
        }
    }

    pub(crate) fn contains(&self, wanted: &Value<'_>) -> Result<bool, Error> {
        for item in self.iter() {
            if item?.equals(wanted) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The two joined, as the left one's kind of list joins: a set takes only what it has not, a map list replaces the
    /// items of the same keys.
    pub(crate) fn join(self, other: &List<'a>) -> Result<List<'a>, Error> {
        let kind = self.list_type();
        let mut items = match self {
            // A loop's list is extended where it is: nobody else has it.
            List::Made(items, _) => Arc::unwrap_or_clone(items),
            json @ List::Json(..) => json.to_vec()?,
        };
        match kind {
            ListType::Atomic => {
                for item in other.iter() {
                    items.push(item?);
                }
            }
            ListType::Set | ListType::Map(_) => {
                let mut places: Places<'_, usize> = Places::default();
                for (at, item) in items.iter().enumerate() {
                    places.insert(kind.identity(item), at);
                }
                for item in other.iter() {
                    let item = item?;
                    let identity = kind.identity(&item);
                    match (places.get(&identity).copied(), kind) {
                        (Some(at), ListType::Map(_)) => items[at] = item,
                        (Some(_), _) => {}
                        (None, _) => {
                            places.insert(identity, items.len());
                            items.push(item);
                        }
                    }
                }
            }
        }
        Ok(List::Made(Arc::new(items), kind))
    }

    pub(super) fn equals(&self, other: &List<'_>) -> bool {
        if self.len() != other.len() {
            return false;
        }
        let kind = self.list_type();
        if let ListType::Atomic = kind {
            return self.iter().zip(other.iter()).all(|pair| match pair {
                (Ok(ours), Ok(theirs)) => ours.equals(&theirs),
                _ => false,
            });
        }
        let Ok(ours) = self.to_vec() else { return false };
        let mut places: Places<'_, &Value<'_>> = Places::default();
        for item in &ours {
            places.insert(kind.identity(item), item);
        }
        other.iter().all(|theirs| {
            let Ok(theirs) = theirs else { return false };
            let found = places.get(&kind.identity(&theirs));
            found.is_some_and(|ours| matches!(kind, ListType::Set) || ours.equals(&theirs))
        })
    }
}

impl ListType {
    /// What tells an item from the others: itself, or its keys.
    fn identity<'a>(&self, item: &Value<'a>) -> Vec<Value<'a>> {
        match (self, item) {
            (Self::Map(keys), Value::Object(object, of)) => keys
                .iter()
                .map(|key| {
                    let field = of.fields().find(|field| field.name == *key);
                    let value = field.and_then(|field| Value::of_json(object.get(key)?, &field.decl).ok());
                    value.unwrap_or(Value::Null)
                })
                .collect(),
            (Self::Map(keys), Value::Map(map)) => keys
                .iter()
                .map(|key| map.get(&Value::text(key.as_str())).and_then(Result::ok).unwrap_or(Value::Null))
                .collect(),
            _ => vec![item.clone()],
        }
    }
}

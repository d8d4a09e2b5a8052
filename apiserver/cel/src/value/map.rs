//! Maps.

use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};

use super::{Text, Value};
use crate::decl_type::DeclType;
use crate::interpreter::Error;
use crate::places::Places;

/// A map, of an object or made.
#[derive(Clone, Debug)]
pub(crate) enum Map<'a> {
    Json(&'a JsonMap<String, Json>, &'a DeclType),
    Made(Arc<MadeMap<'a>>),
}

/// The entries of a map that was made, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct MadeMap<'a> {
    entries: Vec<(Value<'a>, Value<'a>)>,
    places: Places<'a, usize>,
}

impl<'a> MadeMap<'a> {
    /// Puts an entry in, in the place of the one with that key if there is one.
    pub(crate) fn set(&mut self, key: Value<'a>, value: Value<'a>) {
        let identity = vec![key.clone()];
        match self.places.get(&identity) {
            Some(at) => self.entries[*at].1 = value,
            None => {
                self.places.insert(identity, self.entries.len());
                self.entries.push((key, value));
            }
        }
    }

    pub(crate) fn get(&self, key: &Value<'_>) -> Option<&Value<'a>> {
        self.places.get(&[key]).map(|at| &self.entries[*at].1)
    }
}

impl<'a> FromIterator<(Value<'a>, Value<'a>)> for Map<'a> {
    fn from_iter<T: IntoIterator<Item = (Value<'a>, Value<'a>)>>(entries: T) -> Self {
        let mut made = MadeMap::default();
        entries.into_iter().for_each(|(key, value)| made.set(key, value));
        Self::Made(Arc::new(made))
    }
}

impl<'a> Map<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Json(entries, _) => entries.len(),
            Self::Made(made) => made.entries.len(),
        }
    }

    pub(crate) fn get(&self, key: &Value<'_>) -> Option<Result<Value<'a>, Error>> {
        match (self, key) {
            (Self::Json(entries, of), Value::String(key)) => entries.get(&**key).map(|value| Value::of_json(value, of)),
            (Self::Json(..), _) => None,
            (Self::Made(made), key) => made.get(key).cloned().map(Ok),
        }
    }

    pub(crate) fn keys(&self) -> Vec<Value<'a>> {
        match self {
            Self::Json(entries, _) => entries.keys().map(|key| Value::String(Text::Borrowed(key))).collect(),
            Self::Made(made) => made.entries.iter().map(|(key, _)| key.clone()).collect(),
        }
    }

    pub(crate) fn entries(&self) -> Result<Vec<(Value<'a>, Value<'a>)>, Error> {
        match self {
            Self::Json(entries, of) => entries
                .iter()
                .map(|(key, value)| Ok((Value::String(Text::Borrowed(key)), Value::of_json(value, of)?)))
                .collect(),
            Self::Made(made) => Ok(made.entries.clone()),
        }
    }

    /// The map with another's entries; `Err` is a key that both have.
    pub(crate) fn with(self, entries: Vec<(Value<'a>, Value<'a>)>) -> Result<Result<Self, Value<'a>>, Error> {
        let mut made = match self {
            // A loop's map is extended where it is: nobody else has it.
            Self::Made(made) => Arc::unwrap_or_clone(made),
            json @ Self::Json(..) => {
                let mut made = MadeMap::default();
                json.entries()?.into_iter().for_each(|(key, value)| made.set(key, value));
                made
            }
        };
        for (key, value) in entries {
            if made.get(&key).is_some() {
                return Ok(Err(key));
            }
            made.set(key, value);
        }
        Ok(Ok(Self::Made(Arc::new(made))))
    }
}

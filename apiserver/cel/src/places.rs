//! Finding by CEL's equality without comparing with everything: keys of maps, items of sets.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::value::Value;

/// What is kept under a few values. Numbers are the same whatever their type.
#[derive(Clone, Debug)]
pub(crate) struct Places<'a, T>(HashMap<u64, Vec<(Vec<Value<'a>>, T)>>);

impl<T> Default for Places<'_, T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<'a, T> Places<'a, T> {
    /// Keeps `what` under `values`, instead of what was there.
    pub(crate) fn insert(&mut self, values: Vec<Value<'a>>, what: T) {
        let bucket = self.0.entry(hash(&values)).or_default();
        match bucket.iter_mut().find(|(known, _)| same(known, &values)) {
            Some((_, kept)) => *kept = what,
            None => bucket.push((values, what)),
        }
    }

    /// What is kept under `values`.
    pub(crate) fn get<'v, V: Borrow<Value<'v>>>(&self, values: &[V]) -> Option<&T> {
        self.0.get(&hash(values))?.iter().find(|(known, _)| same(known, values)).map(|(_, kept)| kept)
    }
}

fn same<'v, V: Borrow<Value<'v>>>(known: &[Value<'_>], values: &[V]) -> bool {
    known.len() == values.len() && known.iter().zip(values).all(|(a, b)| a.equals(b.borrow()))
}

fn hash<'v, V: Borrow<Value<'v>>>(values: &[V]) -> u64 {
    let mut hasher = DefaultHasher::new();
    values.iter().for_each(|value| feed(value.borrow(), &mut hasher));
    hasher.finish()
}

/// Equal values feed the same.
fn feed(value: &Value<'_>, hasher: &mut DefaultHasher) {
    match value {
        Value::Bool(value) => value.hash(hasher),
        // Integers and floats of one value have one float that is nearest to them.
        Value::Int(value) => (*value as f64).to_bits().hash(hasher),
        Value::Uint(value) => (*value as f64).to_bits().hash(hasher),
        Value::Double(value) => (value + 0.0).to_bits().hash(hasher),
        Value::String(text) => text.hash(hasher),
        Value::Bytes(bytes) => bytes.hash(hasher),
        Value::Duration(nanos) => nanos.hash(hasher),
        Value::Timestamp(time) => (**time).hash(hasher),
        // The rest are told apart by comparing them.
        _ => {}
    }
}

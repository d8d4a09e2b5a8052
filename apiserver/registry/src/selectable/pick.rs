//! What selectors see of an object, read from the object or in one pass over its JSON that builds nothing else.

use std::borrow::Cow;
use std::fmt;

use apimachinery::ObjectExt;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use storage::cacher::Pairs;

use super::{Picked, Selectable};

impl Selectable {
    /// What selectors see of an object.
    pub(crate) fn pick(&self, object: &Value) -> Picked {
        let at = |path: &str| scalar(path.split('.').try_fold(object, |value, key| value.as_object()?.get(key))?);
        let labels = object.labels().into_iter().flatten();
        Picked {
            api_version: object.api_version().to_owned(),
            labels: labels.map(|(name, value)| (name, value.as_str().unwrap_or_default())).collect(),
            fields: self.fields_of(|path| at(path).filter(|text| !text.is_empty())),
        }
    }

    /// The fields, with the value at each path that is not empty.
    fn fields_of<'a>(&self, value: impl Fn(&str) -> Option<Cow<'a, str>>) -> Pairs {
        let fields = self.fields.iter().map(|field| {
            let value = field.paths.iter().find_map(|path| value(path));
            (&*field.label, value.unwrap_or(Cow::Borrowed(field.absent)))
        });
        fields.collect()
    }

    /// [`Self::pick`] of an object's JSON.
    pub(crate) fn pick_json(&self, json: &[u8]) -> serde_json::Result<Picked> {
        let mut wanted: Vec<(&str, Option<String>)> = vec![("apiVersion", None)];
        for path in self.fields.iter().flat_map(|field| &field.paths) {
            if wanted.iter().all(|(known, _)| *known != &**path) {
                wanted.push((path, None));
            }
        }
        let mut found = Found { wanted, labels: Vec::new(), path: String::new() };
        let mut json = serde_json::Deserializer::from_slice(json);
        At(&mut found).deserialize(&mut json)?;
        json.end()?;
        let value = |path: &str| {
            let found = found.wanted.iter().find(|(known, _)| *known == path);
            found.and_then(|(_, value)| value.as_deref()).filter(|value| !value.is_empty())
        };
        Ok(Picked {
            api_version: value("apiVersion").unwrap_or_default().to_owned(),
            fields: self.fields_of(|path| value(path).map(Cow::Borrowed)),
            labels: found.labels.into_iter().collect(),
        })
    }
}

/// The text of a scalar.
fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        Value::Number(number) => Some(Cow::Owned(match number.as_f64() {
            Some(float) if number.is_f64() => float.to_string(),
            _ => number.to_string(),
        })),
        _ => None,
    }
}

struct Found<'a> {
    wanted: Vec<(&'a str, Option<String>)>,
    labels: Vec<(String, String)>,
    /// Where the pass is, as a dotted path.
    path: String,
}

impl Found<'_> {
    /// Whether something wanted is at the path or below it.
    fn leads_on(&self) -> bool {
        self.wanted.iter().any(|(path, _)| {
            path.strip_prefix(&*self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        }) || "metadata.labels".starts_with(&*self.path)
    }

    fn set(&mut self, value: impl Into<String>) {
        if let Some((_, at)) = self.wanted.iter_mut().find(|(path, _)| *path == self.path) {
            *at = Some(value.into());
        }
    }
}

/// The value at the present path.
struct At<'f, 'a>(&'f mut Found<'a>);

impl<'de> DeserializeSeed<'de> for At<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let found = self.0;
        if found.path == "metadata.labels" {
            while let Some((key, value)) = map.next_entry::<Cow<'de, str>, Option<Cow<'de, str>>>()? {
                found.labels.push((key.into_owned(), value.unwrap_or_default().into_owned()));
            }
            return Ok(());
        }
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let length = found.path.len();
            if length > 0 {
                found.path.push('.');
            }
            found.path.push_str(&key);
            // A dot in a key is none between two.
            if !key.contains('.') && found.leads_on() {
                map.next_value_seed(At(found))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            found.path.truncate(length);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.0.set(value);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.set(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.set(value.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.0.set(value.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.set(value.to_string());
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

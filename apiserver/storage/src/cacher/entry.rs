//! What the cache holds of one object: its served bytes, and beside them what selectors need.

use std::sync::Arc;

use bytes::Bytes;

use crate::{KeyValue, Result, Revision};

/// Turns stored values into what the cache holds. Called once for each write, on the cacher's own task: it must not
/// block.
pub trait Decoder: Send + Sync + 'static {
    /// Reads one stored pair. An error is logged and never ends the feed: lists that cover the object fail, and watchers
    /// keep the last version that could be decoded.
    fn decode(&self, kv: &KeyValue) -> Result<Decoded>;
}

/// What a [`Decoder`] makes of a value. Namespace and name are not in it: they are the last parts of the key.
#[derive(Clone, Debug, Default)]
pub struct Decoded {
    /// `metadata.labels`.
    pub labels: Pairs,
    /// The fields that a field selector may name, apart from `metadata.name` and `metadata.namespace`, which every
    /// entry answers from its key.
    pub fields: Pairs,
    /// The JSON that clients are served, with its resourceVersion in it; see [`super::with_resource_version`].
    pub object: Bytes,
}

/// Sorted string pairs in at most two allocations, none when empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    /// key, value, key, value… without separators.
    text: Box<str>,
    /// Where each of those parts ends in `text`.
    ends: Box<[u32]>,
}

impl Pairs {
    /// The value for `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        // Labels are few: a scan beats a binary search. Only the value found is taken as text again.
        let text = self.text.as_bytes();
        let mut start = 0;
        for pair in self.ends.chunks_exact(2) {
            let (middle, end) = (pair[0] as usize, pair[1] as usize);
            if text[start..middle] == *key.as_bytes() {
                return Some(&self.text[middle..end]);
            }
            start = end;
        }
        None
    }

    /// The pairs in ascending order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.chunks_exact(2).map(move |pair| {
            let (middle, end) = (pair[0] as usize, pair[1] as usize);
            let parts = (&self.text[start..middle], &self.text[middle..end]);
            start = end;
            parts
        })
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.ends.len() / 2
    }

    /// Reads a little of what [`Pairs::get`] reads.
    pub(super) fn touch(&self) -> u8 {
        let end = self.ends.first().map_or(0, |end| *end as u8);
        end ^ self.text.as_bytes().first().copied().unwrap_or_default()
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for Pairs {
    /// Sorts the pairs; of two with one key the last is kept.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut pairs: Vec<(K, V)> = pairs.into_iter().collect();
        if pairs.is_empty() {
            return Self::default();
        }
        pairs.reverse();
        pairs.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        pairs.dedup_by(|later, kept| later.0.as_ref() == kept.0.as_ref());
        let length = pairs.iter().map(|(k, v)| k.as_ref().len() + v.as_ref().len()).sum();
        let mut text = String::with_capacity(length);
        let mut ends = Vec::with_capacity(pairs.len() * 2);
        for (key, value) in &pairs {
            text.push_str(key.as_ref());
            ends.push(text.len() as u32);
            text.push_str(value.as_ref());
            ends.push(text.len() as u32);
        }
        Self { text: text.into_boxed_str(), ends: ends.into_boxed_slice() }
    }
}

impl std::fmt::Debug for Pairs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// One object at one revision. Immutable and shared by every snapshot, list and event that shows it.
#[derive(Debug)]
pub struct Entry {
    key: Arc<str>,
    /// Where the namespace (if any) and the name start in `key`.
    namespace_at: u32,
    name_at: u32,
    revision: Revision,
    decoded: Decoded,
    corrupt: Option<Box<Corrupt>>,
}

/// A value that could not be decoded.
#[derive(Debug)]
struct Corrupt {
    reason: Box<str>,
    /// The last version that could be decoded: what watchers still believe.
    last: Option<Arc<Entry>>,
}

impl Entry {
    /// An entry for `key`, which starts with a prefix of `prefix_length` bytes and goes on with `<name>` or
    /// `<namespace>/<name>`.
    pub(super) fn new(key: Arc<str>, prefix_length: usize, revision: Revision, decoded: Decoded) -> Self {
        let namespace_at = prefix_length.min(key.len());
        let name_at = key.as_bytes()[namespace_at..]
            .iter()
            .position(|&byte| byte == b'/')
            .map_or(namespace_at, |slash| namespace_at + slash + 1);
        Self { key, namespace_at: namespace_at as u32, name_at: name_at as u32, revision, decoded, corrupt: None }
    }

    /// An entry for a value that cannot be decoded; `before` is what the cache held for the key.
    pub(super) fn new_corrupt(
        key: Arc<str>,
        prefix_length: usize,
        revision: Revision,
        reason: String,
        before: Option<&Arc<Entry>>,
    ) -> Self {
        let last = before.and_then(Entry::visible).cloned();
        let corrupt = Some(Box::new(Corrupt { reason: reason.into_boxed_str(), last }));
        Self { corrupt, ..Self::new(key, prefix_length, revision, Decoded::default()) }
    }

    /// The whole key.
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// The namespace, empty for a cluster-scoped object.
    pub fn namespace(&self) -> &str {
        self.key[self.namespace_at as usize..self.name_at as usize].trim_end_matches('/')
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.key[self.name_at as usize..]
    }

    /// The revision of the write that made this version: its resourceVersion.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The object's labels.
    pub fn labels(&self) -> &Pairs {
        &self.decoded.labels
    }

    /// The fields that the decoder found; see also [`Entry::field`].
    pub fn fields(&self) -> &Pairs {
        &self.decoded.fields
    }

    /// The value of the label `key`.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.decoded.labels.get(key)
    }

    /// The value of the selectable field `key`; `metadata.name` and `metadata.namespace` are always there.
    pub fn field(&self, key: &str) -> Option<&str> {
        match key {
            "metadata.name" => Some(self.name()),
            "metadata.namespace" => Some(self.namespace()),
            _ => self.decoded.fields.get(key),
        }
    }

    /// The served JSON, resourceVersion included.
    pub fn object(&self) -> &Bytes {
        &self.decoded.object
    }

    /// Why the stored value could not be decoded. Such an entry is never handed out by lists or watches: a list over
    /// it fails, and watchers keep the last version that could be decoded.
    pub(super) fn corrupt(&self) -> Option<&str> {
        self.corrupt.as_ref().map(|corrupt| &*corrupt.reason)
    }

    /// The version that clients believe in: this one, or the last that could be decoded.
    pub(super) fn visible(self: &Arc<Self>) -> Option<&Arc<Self>> {
        match &self.corrupt {
            None => Some(self),
            Some(corrupt) => corrupt.last.as_ref(),
        }
    }

    /// About how many bytes this entry holds.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.decoded.object.len() + self.decoded.labels.text.len() + self.decoded.fields.text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_sorted_and_the_last_of_a_key_wins() {
        let pairs: Pairs = [("tier", "back"), ("app", "web"), ("tier", "front"), ("empty", "")].into_iter().collect();
        assert_eq!(pairs.iter().collect::<Vec<_>>(), [("app", "web"), ("empty", ""), ("tier", "front")]);
        assert_eq!(
            (pairs.get("tier"), pairs.get("empty"), pairs.get("none"), pairs.len()),
            (Some("front"), Some(""), None, 3)
        );
        assert!(Pairs::from_iter::<[(&str, &str); 0]>([]).is_empty());
    }

    #[test]
    fn namespace_and_name_are_the_last_parts_of_the_key() {
        let cases = [
            ("/registry/pods/", "/registry/pods/default/web", "default", "web"),
            ("/registry/nodes/", "/registry/nodes/n1", "", "n1"),
            ("/registry/nodes/", "/registry/nodes/", "", ""),
            ("/registry/clusterroles/", "/registry/clusterroles/system:node", "", "system:node"),
        ];
        for (prefix, key, namespace, name) in cases {
            let entry = Entry::new(key.into(), prefix.len(), 1, Decoded::default());
            assert_eq!((entry.namespace(), entry.name()), (namespace, name), "{key}");
            assert_eq!(entry.field("metadata.name"), Some(name));
        }
    }
}

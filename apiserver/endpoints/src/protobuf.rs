//! Answers in Kubernetes' protobuf encoding: one object, a list in one body, the frames of a watch.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use apimachinery::gvk::GroupVersionResource;
use apimachinery::status::StatusError;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use protobuf_encoding::{EncodeError, ListEncoder};
use registry::{EventKind, Listed, Row, Served, WatchEvent, WatchStream};
use serde_json::Value;

use crate::raw;
use crate::streaming::list_meta;
use crate::table::Shape;

/// Lists of more objects than this are encoded on a thread for blocking work.
const INLINE: usize = 64;

fn unencodable(error: &EncodeError) -> StatusError {
    StatusError::internal(format!("unable to encode an answer: {error}"))
}

/// The envelope of one object. Discovery's documents that name no version are of upstream's `v1`.
pub(crate) fn object(mut value: Value) -> Result<Bytes, StatusError> {
    if let Value::Object(fields) = &mut value {
        fields.entry("apiVersion").or_insert_with(|| "v1".into());
    }
    envelope(&value)
}

fn envelope(value: &Value) -> Result<Bytes, StatusError> {
    protobuf_encoding::encode(value).map(Bytes::from).map_err(|error| unencodable(&error))
}

/// The envelope of an object of the registry.
pub(crate) fn served(object: &Served) -> Result<Bytes, StatusError> {
    envelope(&*object.value_with_texts()?)
}

/// The envelope of JSON made by this server.
pub(crate) fn json(bytes: &[u8]) -> Result<Bytes, StatusError> {
    object(parse(bytes)?)
}

fn parse(bytes: &[u8]) -> Result<Value, StatusError> {
    apimachinery::json::parse(bytes)
        .map_err(|error| StatusError::internal(format!("unable to decode an answer: {error}")))
}

/// The envelope of a list, in the shape asked for.
pub(crate) async fn list(row: &Arc<Row>, shape: Shape, listed: Listed) -> Result<Bytes, StatusError> {
    if listed.items.len() <= INLINE {
        return encode_list(row, &shape, &listed);
    }
    let row = row.clone();
    let encoded = tokio::task::spawn_blocking(move || encode_list(&row, &shape, &listed)).await;
    encoded.unwrap_or_else(|error| Err(StatusError::internal(format!("unable to encode an answer: {error}"))))
}

fn encode_list(row: &Row, shape: &Shape, listed: &Listed) -> Result<Bytes, StatusError> {
    // Shapes that no list can have are refused here.
    shape.head(row, "")?;
    let (api_version, kind) = match shape {
        Shape::Metadata { version, .. } => (format!("meta.k8s.io/{version}"), "PartialObjectMetadataList"),
        _ => (row.api_version(), row.list_kind.as_str()),
    };
    let mut encoder = ListEncoder::new(&api_version, kind).map_err(|error| unencodable(&error))?;
    for item in &listed.items {
        let pushed = match shape {
            Shape::Metadata { .. } => encoder.push(&metadata_alone(item)?),
            _ => encoder.push(&*item.value_with_texts()?),
        };
        pushed.map_err(|error| unencodable(&error))?;
    }
    let metadata = parse(list_meta(false, listed).as_bytes())?;
    encoder.finish(&metadata).map(Bytes::from).map_err(|error| unencodable(&error))
}

fn metadata_alone(item: &Served) -> Result<Value, StatusError> {
    let metadata = parse(raw::field(item.bytes(), "metadata").unwrap_or(b"{}"))?;
    Ok(Value::Object([("metadata".to_owned(), metadata)].into_iter().collect()))
}

/// The frames of a watch in the shape asked for.
pub(crate) fn watch(
    row: Arc<Row>,
    mut shape: Shape,
    events: WatchStream,
    shared: Arc<Envelopes>,
) -> impl Stream<Item = Bytes> + Send + 'static {
    events.map(move |event| frame(&row, &mut shape, &event, &shared))
}

fn frame(row: &Row, shape: &mut Shape, event: &WatchEvent, shared: &Envelopes) -> Bytes {
    let shown = &event.object();
    let envelope = match (&mut *shape, event.kind) {
        (Shape::Object, EventKind::Added | EventKind::Modified | EventKind::Deleted) if row.serves_as_stored() => {
            shared.of(shown)
        }
        (Shape::Object, _) | (_, EventKind::Error) => served(shown),
        (shape, _) => shape.event(row, shown).and_then(|bytes| json(&bytes)),
    };
    let (kind, envelope) = match envelope {
        Ok(envelope) => (event.kind, envelope),
        Err(error) => {
            let status = serde_json::to_value(error.status()).unwrap_or_default();
            (EventKind::Error, object(status).unwrap_or_default())
        }
    };
    protobuf_encoding::frame_watch_event(kind.as_str(), &envelope).into()
}

/// The envelopes of the objects in a kind's latest events, for its watchers to share: each is encoded once as long as the
/// watchers are not far apart.
#[derive(Debug, Default)]
pub(crate) struct Envelopes(Mutex<Latest>);

#[derive(Debug, Default)]
struct Latest {
    /// An object's JSON, told by its place in memory (which it keeps as long as it is here), and its envelope.
    entries: VecDeque<(Bytes, Bytes)>,
    bytes: usize,
}

/// What the envelopes of one kind and the JSON they stand for may take, in number and in bytes.
const MOST: usize = 64;
const MOST_BYTES: usize = 1024 * 1024;

impl Envelopes {
    fn of(&self, object: &Served) -> Result<Bytes, StatusError> {
        let json = object.bytes();
        let same = |known: &Bytes| known.as_ptr() == json.as_ptr() && known.len() == json.len();
        if let Some((_, envelope)) = self.0.lock().entries.iter().rev().find(|(known, _)| same(known)) {
            return Ok(envelope.clone());
        }
        let envelope = served(object)?;
        let mut latest = self.0.lock();
        latest.bytes += json.len() + envelope.len();
        latest.entries.push_back((json.clone(), envelope.clone()));
        while latest.entries.len() > MOST || latest.bytes > MOST_BYTES {
            let Some((json, envelope)) = latest.entries.pop_front() else { break };
            latest.bytes -= json.len() + envelope.len();
        }
        Ok(envelope)
    }
}

/// The [`Envelopes`] of each kind that somebody watches in protobuf.
#[derive(Debug, Default)]
pub(crate) struct Watched(Mutex<HashMap<GroupVersionResource, Weak<Envelopes>>>);

impl Watched {
    /// Those of a row's kind. They are dropped with the last watch that holds them.
    pub(crate) fn of(&self, row: &Row) -> Arc<Envelopes> {
        let mut kinds = self.0.lock();
        if let Some(envelopes) = kinds.get(&row.gvr).and_then(Weak::upgrade) {
            return envelopes;
        }
        let envelopes = Arc::new(Envelopes::default());
        kinds.retain(|_, envelopes| envelopes.strong_count() > 0);
        kinds.insert(row.gvr.clone(), Arc::downgrade(&envelopes));
        envelopes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn watchers_of_one_event_share_its_envelope() {
        let envelopes = Envelopes::default();
        let pod = |name: &str| {
            Served::from_value(Arc::new(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}})))
        };
        let (a, again) = (pod("a"), pod("a"));
        let first = envelopes.of(&a).unwrap();
        assert_eq!(envelopes.of(&a.clone()).unwrap().as_ptr(), first.as_ptr(), "encoded twice");
        assert_eq!(envelopes.of(&again).unwrap(), first);
        for at in 0..2 * MOST {
            envelopes.of(&pod(&at.to_string())).unwrap();
        }
        let latest = envelopes.0.lock();
        let held: usize = latest.entries.iter().map(|(json, envelope)| json.len() + envelope.len()).sum();
        assert_eq!((latest.entries.len(), latest.bytes), (MOST, held));
    }

    #[test]
    fn a_kind_nobody_watches_keeps_no_envelopes() {
        let watched = Watched::default();
        let row = |resource: &str| registry::Table::builtin().row("", "v1", resource).unwrap().clone();
        let held = watched.of(&row("pods"));
        assert!(Arc::ptr_eq(&held, &watched.of(&row("pods"))));
        drop(held);
        watched.of(&row("nodes"));
        assert!(!watched.0.lock().contains_key(&row("pods").gvr));
    }
}

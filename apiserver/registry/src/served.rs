//! What calls answer: objects as JSON bytes in the version of the request, shared with the cache where possible.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use serde_json::Value;
use storage::cacher::{Delivery, Entry};

use apimachinery::field_sets;
use apimachinery::json::SyntaxError;
use apimachinery::status::{Status, StatusError};

/// One object as it is served: JSON in the row's version, with its resourceVersion.
#[derive(Clone, Debug)]
pub struct Served {
    text: Text,
    /// The object, if it is at hand. Its field sets may be texts.
    value: Option<Arc<Value>>,
}

#[derive(Clone, Debug)]
enum Text {
    Bytes(Bytes),
    /// The cache's own, held by the entry that it belongs to.
    Entry(Arc<Entry>),
}

impl Served {
    /// An object known only as its served bytes.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self { text: Text::Bytes(bytes), value: None }
    }

    /// An object that is served as the cache has it.
    pub(crate) fn from_entry(entry: Arc<Entry>) -> Self {
        Self { text: Text::Entry(entry), value: None }
    }

    /// An object known as both.
    pub(crate) fn new(bytes: Bytes, value: Arc<Value>) -> Self {
        Self { text: Text::Bytes(bytes), value: Some(value) }
    }

    /// An object at hand as a value.
    pub fn from_value(value: Arc<Value>) -> Self {
        Self { text: Text::Bytes(schema::types::to_vec(&value).into()), value: Some(value) }
    }

    /// The JSON. Cloning shares it.
    pub fn bytes(&self) -> &Bytes {
        match &self.text {
            Text::Bytes(bytes) => bytes,
            Text::Entry(entry) => entry.object(),
        }
    }

    /// The object as a value; parsed on each call unless it was made from one.
    pub fn value(&self) -> Result<Arc<Value>, StatusError> {
        match &self.value {
            Some(value) => Ok(field_sets::expanded(value)),
            None => apimachinery::json::parse(self.bytes()).map(Arc::new).map_err(unreadable),
        }
    }

    /// [`Self::value`] with [field sets as texts](field_sets), or as they are at hand.
    pub fn value_with_texts(&self) -> Result<Arc<Value>, StatusError> {
        match &self.value {
            Some(value) => Ok(value.clone()),
            None => field_sets::parse(self.bytes()).map(Arc::new).map_err(unreadable),
        }
    }
}

fn unreadable(error: SyntaxError) -> StatusError {
    StatusError::internal(format!("unable to decode a stored object: {error}"))
}

/// The answer to create, update, patch and apply.
#[derive(Clone, Debug)]
pub struct Written {
    /// The object as it is now.
    pub object: Served,
    /// Whether it is new (201).
    pub created: bool,
}

/// The answer to a delete.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// Gone; the `Success` Status that says so.
    Done(Box<Status>),
    /// The object as it is now (deletion has begun), or as it was when it was removed for kinds that answer so. `accepted`:
    /// the answer is 202.
    Object {
        /// The object.
        object: Served,
        /// Deletion goes on in the background (202).
        accepted: bool,
    },
}

/// A page of a collection.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The revision that the list shows.
    pub resource_version: String,
    /// Where the next page starts; empty on the last.
    pub continue_token: String,
    /// How many objects come after this page, where that is known.
    pub remaining: Option<u64>,
    /// The objects.
    pub items: Vec<Served>,
}

/// What happened to a watched object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// It is new, or newly matches.
    Added,
    /// It changed.
    Modified,
    /// It is gone, or no longer matches.
    Deleted,
    /// Nothing happened up to the object's resourceVersion.
    Bookmark,
    /// The watch is over; the object is a Status.
    Error,
}

impl EventKind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
            Self::Bookmark => "BOOKMARK",
            Self::Error => "ERROR",
        }
    }
}

/// One event of a watch.
#[derive(Clone, Debug)]
pub struct WatchEvent {
    /// What happened.
    pub kind: EventKind,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    /// As the cache tells it to all watchers, of an object.
    Cached(Delivery),
    Made(Box<Made>),
}

#[derive(Clone, Debug)]
struct Made {
    object: Served,
    framed: Bytes,
}

impl WatchEvent {
    /// An event as the cache tells it, which is of an object.
    pub(crate) fn cached(kind: EventKind, delivery: Delivery) -> Self {
        Self { kind, content: Content::Cached(delivery) }
    }

    /// An event of an object that the cache does not have so.
    pub(crate) fn made(kind: EventKind, object: Served) -> Self {
        let text = object.bytes();
        let mut framed = Vec::with_capacity(text.len() + 40);
        framed.extend_from_slice(b"{\"type\":\"");
        framed.extend_from_slice(kind.as_str().as_bytes());
        framed.extend_from_slice(b"\",\"object\":");
        framed.extend_from_slice(text);
        framed.extend_from_slice(b"}\n");
        Self { kind, content: Content::Made(Box::new(Made { object, framed: framed.into() })) }
    }

    /// The object, or a Status for [`EventKind::Error`].
    pub fn object(&self) -> Served {
        match &self.content {
            Content::Cached(delivery) => Served::from_bytes(delivery.object().unwrap_or_default()),
            Content::Made(made) => made.object.clone(),
        }
    }

    /// The event in the plain JSON form, `{"type":…,"object":…}` and a newline; shared by all watchers that see the same.
    pub fn framed(&self) -> Bytes {
        match &self.content {
            Content::Cached(delivery) => delivery.framed().unwrap_or_default(),
            Content::Made(made) => made.framed.clone(),
        }
    }
}

/// A running watch. It ends after an [`EventKind::Error`], or when the server ends it; who asked for it ends it at its timeout.
pub type WatchStream = BoxStream<'static, WatchEvent>;

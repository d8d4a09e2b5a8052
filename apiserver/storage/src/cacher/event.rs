//! Changes as the feed keeps them, and as watchers are given them.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::time::Instant;

use super::entry::Entry;
use super::read::Predicate;
use super::resource_version::{KeyOrder, with_resource_version};
use crate::Revision;

/// The type of a watch event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The object is new, or begins to match.
    Added,
    /// The object changed.
    Modified,
    /// The object is gone, or ceases to match.
    Deleted,
    /// Everything up to the revision has been delivered.
    Bookmark,
}

/// One change of one key, with the versions on both sides of it.
#[derive(Debug)]
pub(super) struct Event {
    /// The key that changed.
    pub key: Arc<str>,
    /// The revision of the write or deletion.
    pub revision: Revision,
    /// The version written; `None` for a deletion.
    pub current: Option<Arc<Entry>>,
    /// The version before, if there was one.
    pub previous: Option<Arc<Entry>>,
    /// When the cache received it.
    pub received: Instant,
}

impl Event {
    /// The version that watchers have seen before this event.
    pub fn before(&self) -> Option<&Arc<Entry>> {
        self.previous.as_ref().and_then(Entry::visible)
    }

    /// What this event is to a watcher with this predicate; `None` if it does not concern it. A value that cannot be
    /// decoded changes nothing for watchers until it is replaced or deleted.
    pub fn kind(&self, predicate: Option<&Predicate>) -> Option<Kind> {
        let matches = |entry: &&Arc<Entry>| predicate.is_none_or(|predicate| predicate(entry));
        if self.current.as_ref().is_some_and(|entry| entry.corrupt().is_some()) {
            return None;
        }
        match (self.before().filter(matches), self.current.as_ref().filter(matches)) {
            (None, Some(_)) => Some(Kind::Added),
            (Some(_), Some(_)) => Some(Kind::Modified),
            (Some(_), None) => Some(Kind::Deleted),
            (None, None) => None,
        }
    }
}

/// An event on its way to its watchers, with the bytes that they share. The history keeps only the [`Event`], so that
/// these bytes live no longer than their delivery.
#[derive(Debug)]
pub(super) struct SharedEvent {
    event: Arc<Event>,
    /// The previous version with the event's revision.
    deleted: OnceLock<Bytes>,
    /// The framed forms of ADDED, MODIFIED and DELETED.
    framed: [OnceLock<Bytes>; 3],
}

impl SharedEvent {
    pub fn new(event: Arc<Event>) -> Arc<Self> {
        Arc::new(Self { event, deleted: OnceLock::new(), framed: Default::default() })
    }

    fn entry(&self, kind: Kind) -> Option<&Arc<Entry>> {
        if kind == Kind::Deleted { self.event.before() } else { self.event.current.as_ref() }
    }

    fn object(&self, kind: Kind) -> Option<Bytes> {
        let entry = self.entry(kind)?;
        if kind != Kind::Deleted {
            return Some(entry.object().clone());
        }
        let object = self.deleted.get_or_init(|| {
            // The bytes were scanned once already when the revision was first put in, where this one replaces it, unless a
            // decoder serves something else than JSON objects; that is passed on as it is.
            with_resource_version(entry.object(), self.event.revision, KeyOrder::Declared)
                .unwrap_or_else(|_| entry.object().clone())
        });
        Some(object.clone())
    }

    fn framed(&self, kind: Kind) -> Option<Bytes> {
        let slot = self.framed.get(kind as usize)?;
        if let Some(framed) = slot.get() {
            return Some(framed.clone());
        }
        let object = self.object(kind)?;
        Some(slot.get_or_init(|| frame(kind, &object)).clone())
    }
}

/// One watch event for one watcher. Cheap to clone: bytes are shared with all other watchers of the event.
#[derive(Clone, Debug)]
pub struct Delivery {
    kind: Kind,
    revision: Revision,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Change(Arc<SharedEvent>),
    Initial(Arc<Entry>),
    Bookmark { initial_events_end: bool },
}

impl Delivery {
    pub(super) fn change(kind: Kind, event: Arc<SharedEvent>) -> Self {
        Self { kind, revision: event.event.revision, content: Content::Change(event) }
    }

    pub(super) fn initial(entry: Arc<Entry>) -> Self {
        Self { kind: Kind::Added, revision: entry.revision(), content: Content::Initial(entry) }
    }

    pub(super) fn bookmark(revision: Revision, initial_events_end: bool) -> Self {
        Self { kind: Kind::Bookmark, revision, content: Content::Bookmark { initial_events_end } }
    }

    /// The event's type.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The event's revision: that of the write or deletion, for an initial event that of the object (initial events come
    /// in key order). A watch resumes after the last one delivered.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The object shown; for DELETED its last version (whose own revision is older than the event's). `None` for a
    /// bookmark.
    pub fn entry(&self) -> Option<&Arc<Entry>> {
        match &self.content {
            Content::Change(event) => event.entry(self.kind),
            Content::Initial(entry) => Some(entry),
            Content::Bookmark { .. } => None,
        }
    }

    /// The object before the event, where there was one that watchers have seen.
    pub fn previous(&self) -> Option<&Arc<Entry>> {
        match &self.content {
            Content::Change(event) => event.event.before(),
            Content::Initial(_) | Content::Bookmark { .. } => None,
        }
    }

    /// The object's JSON. For DELETED its resourceVersion is the event's revision. `None` for a bookmark.
    pub fn object(&self) -> Option<Bytes> {
        match &self.content {
            Content::Change(event) => event.object(self.kind),
            Content::Initial(entry) => Some(entry.object().clone()),
            Content::Bookmark { .. } => None,
        }
    }

    /// The event as a line of the plain JSON watch form, `{"type":"ADDED","object":…}` and a newline, made at most once
    /// for all watchers. `None` for a bookmark.
    pub fn framed(&self) -> Option<Bytes> {
        match &self.content {
            Content::Change(event) => event.framed(self.kind),
            Content::Initial(entry) => Some(frame(self.kind, entry.object())),
            Content::Bookmark { .. } => None,
        }
    }

    /// Whether this is the bookmark that ends the initial events (annotation `k8s.io/initial-events-end`).
    pub fn is_initial_events_end(&self) -> bool {
        matches!(self.content, Content::Bookmark { initial_events_end: true })
    }
}

fn frame(kind: Kind, object: &[u8]) -> Bytes {
    let head: &[u8] = match kind {
        Kind::Added => br#"{"type":"ADDED","object":"#,
        Kind::Modified => br#"{"type":"MODIFIED","object":"#,
        Kind::Deleted => br#"{"type":"DELETED","object":"#,
        Kind::Bookmark => br#"{"type":"BOOKMARK","object":"#,
    };
    Bytes::from([head, object, b"}\n"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cacher::entry::{Decoded, Pairs};

    fn entry(revision: Revision, app: &str) -> Arc<Entry> {
        let object = with_resource_version(br#"{"metadata":{"name":"a"}}"#, revision, KeyOrder::Declared).unwrap();
        let decoded = Decoded { labels: Pairs::from_iter([("app", app)]), fields: Pairs::default(), object };
        Arc::new(Entry::new("/r/a".into(), 3, revision, decoded))
    }

    #[test]
    fn the_match_before_and_after_decides_the_type() {
        let web: Predicate = Arc::new(|entry| entry.label("app") == Some("web"));
        let cases = [
            (None, Some("web"), Some(Kind::Added)),
            (None, Some("db"), None),
            (Some("db"), Some("web"), Some(Kind::Added)),
            (Some("web"), Some("web"), Some(Kind::Modified)),
            (Some("web"), Some("db"), Some(Kind::Deleted)),
            (Some("db"), Some("db"), None),
            (Some("web"), None, Some(Kind::Deleted)),
            (Some("db"), None, None),
        ];
        for (previous, current, want) in cases {
            let event = Event {
                key: "/r/a".into(),
                revision: 9,
                current: current.map(|app| entry(9, app)),
                previous: previous.map(|app| entry(4, app)),
                received: Instant::now(),
            };
            assert_eq!(event.kind(Some(&web)), want, "{previous:?} -> {current:?}");
            assert!(event.kind(None).is_some());
        }
    }

    #[test]
    fn bytes_are_made_once_and_a_deletion_shows_its_own_revision() {
        let event = Event {
            key: "/r/a".into(),
            revision: 9,
            current: None,
            previous: Some(entry(4, "web")),
            received: Instant::now(),
        };
        let shared = SharedEvent::new(Arc::new(event));
        let (one, two) = (Delivery::change(Kind::Deleted, shared.clone()), Delivery::change(Kind::Deleted, shared));
        let want = r#"{"type":"DELETED","object":{"metadata":{"name":"a","resourceVersion":"9"}}}"#;
        assert_eq!(one.framed().unwrap(), format!("{want}\n"));
        assert_eq!(one.framed().unwrap().as_ptr(), two.framed().unwrap().as_ptr());
        assert_eq!(one.object().unwrap().as_ptr(), two.object().unwrap().as_ptr());
        assert_eq!((one.revision(), one.entry().unwrap().revision()), (9, 4));
        assert!(Delivery::bookmark(3, true).framed().is_none());
    }
}

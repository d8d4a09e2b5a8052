//! What watchers are given.

use std::sync::Arc;

use bytes::Bytes;

use super::entry::Entry;
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

/// One watch event for one watcher. Cheap to clone: bytes are shared with all other watchers of the event.
#[derive(Clone, Debug)]
pub struct Delivery {
    kind: Kind,
    revision: Revision,
}

impl Delivery {
    /// The event's type.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The event's revision: that of the write or deletion, for an initial event that of the object. A watch resumes
    /// after the last one delivered.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The object shown; for DELETED its last version (whose own revision is older than the event's). `None` for a
    /// bookmark.
    pub fn entry(&self) -> Option<&Arc<Entry>> {
        todo!()
    }

    /// The object's JSON. For DELETED its resourceVersion is the event's revision. `None` for a bookmark.
    pub fn object(&self) -> Option<Bytes> {
        todo!()
    }

    /// The event as a line of the plain JSON watch form, `{"type":"ADDED","object":…}` and a newline, made once for all
    /// watchers. `None` for a bookmark.
    pub fn framed(&self) -> Option<Bytes> {
        todo!()
    }

    /// Whether this is the bookmark that ends the initial events (annotation `k8s.io/initial-events-end`).
    pub fn is_initial_events_end(&self) -> bool {
        todo!()
    }
}

//! Objects that stand: an apply to them that changed nothing was taken through everything, and nothing came of it. The next one
//! that changes nothing need not be.

use apimachinery::GroupVersionResource;
use storage::Revision;

use super::{Current, Write};

/// An object in one state, as one resource has it.
#[derive(Hash)]
struct State<'a> {
    resource: &'a GroupVersionResource,
    subresource: &'a str,
    namespace: &'a str,
    name: &'a str,
    revision: Revision,
}

impl Write<'_> {
    /// Whether writing the object as it is is known to change nothing, to be valid and to be worth no warning. It is stored as
    /// it is served then.
    pub(super) fn stands(&self, current: &Current) -> bool {
        self.may_stand() && self.store.standing().knows(&self.state(current))
    }

    /// Remembers that writing the object as it is has changed nothing.
    pub(super) fn note_standing(&self, current: &Current) {
        if self.may_stand() && !self.ctx.warnings.has_warnings() {
            self.store.standing().note(&self.state(current));
        }
    }

    /// Whether what comes of the object depends on nothing but the object and its resource, which has a store as long as its
    /// schema is the same.
    fn may_stand(&self) -> bool {
        let row = &self.target.row;
        self.view.is_whole() && row.strategy.allocation().is_none() && !row.asks_a_webhook()
    }

    fn state(&self, current: &Current) -> State<'_> {
        State {
            resource: &self.target.row.gvr,
            subresource: &self.target.subresource,
            namespace: &self.target.namespace,
            name: &self.target.name,
            revision: current.revision,
        }
    }
}

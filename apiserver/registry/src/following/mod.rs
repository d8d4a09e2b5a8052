//! What authorization knows, kept current from the caches: roles and bindings, and what belongs to which node.
//!
//! A write of a role or binding is answered when the index has it: who was given something may do it from then on.

mod follow;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use apimachinery::StatusError;
use authorization::{node, rbac};
use parking_lot::RwLock;
use storage::Revision;
use tokio::sync::watch;

use crate::registry::Registry;
use crate::table::Row;
use follow::{Followed, follow};

/// How long a write waits for the index. Who is later learns of it a little later; nothing is lost.
const SETTLE: Duration = Duration::from_secs(1);

/// The state that authorizers answer from.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Roles and bindings.
    pub policy: Arc<RwLock<rbac::Policy>>,
    /// What belongs to which node.
    pub graph: Arc<RwLock<node::Graph>>,
}

/// How far each resource of RBAC was followed, by its plural.
pub(crate) type Reached = HashMap<&'static str, watch::Receiver<Option<Revision>>>;

const NODE_SOURCES: [(&str, &str, node::Kind); 4] = [
    ("", "pods", node::Kind::Pod),
    ("", "persistentvolumes", node::Kind::PersistentVolume),
    ("storage.k8s.io", "volumeattachments", node::Kind::VolumeAttachment),
    ("resource.k8s.io", "resourceslices", node::Kind::ResourceSlice),
];

impl Registry {
    /// Begins to follow roles and bindings, and with `nodes` what belongs to nodes, until the caches are shut down. What
    /// there is now is known when this returns. To be called once, within a tokio runtime.
    ///
    /// # Errors
    /// The table does not have one of the resources, or a cache ended.
    pub async fn follow_authorization(&self, nodes: bool) -> Result<Known, StatusError> {
        let known = Known::default();
        let mut reached = Reached::new();
        let mut all = Vec::new();
        for kind in rbac::Kind::ALL {
            let receiver = self.start_following(rbac::GROUP, kind.resource(), Followed::Rbac(kind), &known)?;
            reached.insert(kind.resource(), receiver.clone());
            all.push(receiver);
        }
        for (group, resource, kind) in NODE_SOURCES.into_iter().filter(|_| nodes) {
            all.push(self.start_following(group, resource, Followed::Node(kind), &known)?);
        }
        for mut receiver in all {
            let begun = receiver.wait_for(Option::is_some).await;
            begun.map_err(|_| StatusError::internal("a cache ended before authorization knew what is in it"))?;
        }
        self.set_followed(known.clone(), reached);
        Ok(known)
    }

    fn start_following(
        &self,
        group: &str,
        resource: &str,
        followed: Followed,
        known: &Known,
    ) -> Result<watch::Receiver<Option<Revision>>, StatusError> {
        let table = self.table();
        let row = table.row(group, "v1", resource);
        let store = row.and_then(|row| row.store.as_ref());
        let store = store.ok_or_else(|| StatusError::internal(format!("{resource} are not in the table")))?;
        let (reach, reached) = watch::channel(None);
        tokio::spawn(follow(store.cacher(self.backing()).clone(), followed, known.clone(), reach));
        Ok(reached)
    }

    /// Waits until a write of `row` that made `revision` counts for authorization.
    pub(crate) async fn settle_authorization(&self, row: &Row, revision: Revision) {
        if row.gvr.group != rbac::GROUP {
            return;
        }
        let Some(mut reached) = self.reached(&row.gvr.resource) else { return };
        let settled = reached.wait_for(|at| at.is_some_and(|at| at >= revision));
        if tokio::time::timeout(SETTLE, settled).await.is_err() {
            tracing::warn!(resource = row.gvr.resource, revision, "authorization lags behind the store");
        }
    }
}

//! Follows the objects of a resource: what there is, then every change, for as long as somebody listens.

use std::sync::Arc;
use std::time::Duration;

use apimachinery::selector::{fields, labels};
use apimachinery::status::StatusError;
use futures::StreamExt as _;
use registry::{EventKind, ListOptions, Registry, RequestContext, Served, Target};
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::identity;

/// How long to wait before what failed is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// How many changes may wait for the listener. The watch waits then, and is begun anew if it falls behind.
const WAITING: usize = 256;

/// What is followed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub group: &'static str,
    pub resource: &'static str,
    /// Empty for all.
    pub namespace: String,
    pub labels: Option<labels::Selector>,
    pub fields: Option<fields::Selector>,
}

/// What is told. Objects are as they are served in version `v1`.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// All there is; what is not among it is gone.
    All(Vec<Served>),
    /// An object that is new or changed.
    Put(Served),
    /// An object that is gone, as it was last.
    Gone(Served),
}

/// Follows `selection` until the receiver is dropped. The first change is [`Change::All`].
pub(crate) fn follow(registry: Arc<Registry>, selection: Selection) -> mpsc::Receiver<Change> {
    let (tell, changes) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let heard = tell.clone();
        tokio::select! {
            () = heard.closed() => {}
            () = run(&registry, &selection, &tell) => {}
        }
    });
    changes
}

async fn run(registry: &Arc<Registry>, selection: &Selection, tell: &mpsc::Sender<Change>) {
    loop {
        if let Err(error) = list_and_watch(registry, selection, tell).await {
            // A watch that fell behind, or a store that is away for a while.
            match tell.is_closed() {
                true => return,
                false => debug!(resource = selection.resource, %error, "following begins anew"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}

async fn list_and_watch(
    registry: &Arc<Registry>,
    selection: &Selection,
    tell: &mpsc::Sender<Change>,
) -> Result<(), StatusError> {
    let row = registry.table().row(selection.group, "v1", selection.resource).cloned().ok_or_else(|| {
        warn!(resource = selection.resource, "there is nothing to follow");
        StatusError::unknown_resource()
    })?;
    let ctx = RequestContext::new(identity::loopback(), "kube-apiserver");
    let collection = Target::new(row, selection.namespace.clone(), "");
    let mut options = ListOptions {
        label_selector: selection.labels.clone(),
        field_selector: selection.fields.clone(),
        ..ListOptions::default()
    };
    let listed = registry.list(&ctx, &collection, &options).await?;
    let gone = |_| StatusError::internal("nobody listens");
    tell.send(Change::All(listed.items)).await.map_err(gone)?;
    options.resource_version = listed.resource_version;
    let mut events = registry.watch(&ctx, &collection, &options).await?;
    while let Some(event) = events.next().await {
        let change = match event.kind {
            EventKind::Added | EventKind::Modified => Change::Put(event.object()),
            EventKind::Deleted => Change::Gone(event.object()),
            EventKind::Bookmark => continue,
            EventKind::Error => break,
        };
        tell.send(change).await.map_err(gone)?;
    }
    Ok(())
}

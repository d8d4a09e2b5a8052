//! One task a resource: the state, then every change, put where authorizers look.

use std::time::Duration;

use authorization::{node, rbac};
use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::Value;
use storage::Revision;
use storage::cacher::{Cacher, Entry, Freshness, Kind, Scope, Start, WatchRequest};
use tokio::sync::watch;

use super::Known;

/// How long to wait before a watch that failed is begun anew.
const RETRY: Duration = Duration::from_millis(200);

/// What is followed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Followed {
    Rbac(rbac::Kind),
    Node(node::Kind),
}

/// Follows until the cache is shut down.
pub(super) async fn follow(cacher: Cacher, followed: Followed, known: Known, reached: watch::Sender<Option<Revision>>) {
    // Nobody listens any more once the registry is gone.
    while !reached.is_closed() {
        let request = WatchRequest {
            bookmarks: true,
            ..WatchRequest::new(Scope::All, Start::InitialEvents(Freshness::Consistent))
        };
        let mut events = match cacher.watch(request).await {
            Ok(events) => events,
            Err(error) => {
                tracing::debug!(?followed, %error, "what authorization needs cannot be watched");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        // The state replaces what was known as a whole: nothing that is gone lingers, and nobody sees half of it.
        let mut state = Some(Vec::new());
        loop {
            let delivery = match events.next().await {
                Some(Ok(delivery)) => delivery,
                Some(Err(error)) => {
                    tracing::debug!(?followed, %error, "a watch of authorization ended");
                    tokio::time::sleep(RETRY).await;
                    break;
                }
                None => return,
            };
            match (&mut state, delivery.kind()) {
                (Some(_), Kind::Bookmark) if delivery.is_initial_events_end() => {
                    known.replace(followed, &state.take().unwrap_or_default());
                }
                (Some(objects), _) => objects.extend(relevant(followed, delivery.entry().map(|entry| &**entry))),
                (None, Kind::Added | Kind::Modified) => {
                    let object = relevant(followed, delivery.entry().map(|entry| &**entry));
                    object.into_iter().for_each(|object| known.put(followed, &object));
                }
                (None, Kind::Deleted) => {
                    if let Some(entry) = delivery.entry() {
                        known.remove(followed, entry.namespace(), entry.name());
                    }
                }
                (None, Kind::Bookmark) => {}
            }
            if state.is_none() {
                // Nobody may be waiting.
                reached.send_replace(Some(delivery.revision()));
            }
        }
    }
}

/// The object, if it can say anything: a pod that is on no node cannot, and most writes are of such or of other pods.
fn relevant(followed: Followed, entry: Option<&Entry>) -> Option<Bytes> {
    let entry = entry?;
    let waits =
        matches!(followed, Followed::Node(node::Kind::Pod)) && entry.field("spec.nodeName").is_none_or(str::is_empty);
    (!waits).then(|| entry.object().clone())
}

impl Known {
    fn replace(&self, followed: Followed, objects: &[Bytes]) {
        match followed {
            Followed::Rbac(kind) => {
                let mut policy = self.policy.write();
                policy.clear(kind);
                objects.iter().for_each(|object| put_policy(&mut policy, kind, object));
            }
            Followed::Node(kind) => {
                let objects: Vec<Value> = objects.iter().filter_map(read).collect();
                let mut graph = self.graph.write();
                graph.clear(kind);
                objects.iter().for_each(|object| graph.put(kind, object));
            }
        }
    }

    fn put(&self, followed: Followed, object: &Bytes) {
        match followed {
            Followed::Rbac(kind) => put_policy(&mut self.policy.write(), kind, object),
            Followed::Node(kind) => {
                if let Some(object) = read(object) {
                    self.graph.write().put(kind, &object);
                }
            }
        }
    }

    fn remove(&self, followed: Followed, namespace: &str, name: &str) {
        match followed {
            Followed::Rbac(kind) => self.policy.write().remove(kind, namespace, name),
            Followed::Node(kind) => self.graph.write().remove(kind, namespace, name),
        }
    }
}

fn put_policy(policy: &mut rbac::Policy, kind: rbac::Kind, object: &Bytes) {
    if let Err(error) = policy.put(kind, object) {
        tracing::warn!(?kind, %error, "an object of RBAC cannot be read and gives nothing new");
    }
}

fn read(object: &Bytes) -> Option<Value> {
    serde_json::from_slice(object).ok()
}

//! The objects of one resource of the host, as its watch tells of them.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt as _;
use kube::api::{Api, DynamicObject};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Namespace and name.
type Key = (String, String);

/// A copy of a collection, kept current by a task that ends with its token.
pub(crate) struct Followed {
    state: Mutex<State>,
    /// How often the copy has changed; 0 until it is whole for the first time.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Arc<Value>>,
    /// What has been read of a list that is not yet read to its end.
    listed: BTreeMap<Key, Arc<Value>>,
    /// The values of `objects`, until they change.
    slice: Option<Arc<[Arc<Value>]>>,
}

impl Followed {
    /// Begins to follow what `selection` selects of `api`.
    pub fn start(api: Api<DynamicObject>, selection: watcher::Config, stop: CancellationToken) -> Arc<Self> {
        let followed = Arc::new(Self { state: Mutex::default(), changes: watch::channel(0).0 });
        let kept = followed.clone();
        tokio::spawn(async move {
            let mut events = pin!(watcher(api, selection).default_backoff());
            while let Some(Some(event)) = stop.run_until_cancelled(events.next()).await {
                match event {
                    Ok(event) => kept.apply(event),
                    Err(error) => warn!(error = %super::chain(&error), "the host cannot be watched; trying again"),
                }
            }
        });
        followed
    }

    /// Told of each change; the value is 0 until the copy is whole for the first time.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits until the copy is whole.
    pub async fn synced(&self) {
        // The sender lives as long as this does.
        let _ = self.changes.subscribe().wait_for(|changes| *changes > 0).await;
    }

    /// An object, if the copy has it.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let key = (namespace.to_owned(), name.to_owned());
        self.state.lock().objects.get(&key).cloned()
    }

    /// All objects, by namespace and name: the same slice until one changes.
    pub fn list(&self) -> Arc<[Arc<Value>]> {
        let State { objects, slice, .. } = &mut *self.state.lock();
        slice.get_or_insert_with(|| objects.values().cloned().collect()).clone()
    }

    fn apply(&self, event: Event<DynamicObject>) {
        let mut state = self.state.lock();
        match event {
            Event::Init => {
                state.listed.clear();
                return;
            }
            Event::InitApply(object) => {
                state.listed.extend(entry(&object));
                return;
            }
            Event::InitDone => state.objects = std::mem::take(&mut state.listed),
            Event::Apply(object) => state.objects.extend(entry(&object)),
            Event::Delete(object) => drop(state.objects.remove(&key(&object))),
        }
        state.slice = None;
        drop(state);
        self.changes.send_modify(|changes| *changes += 1);
    }
}

/// An object as JSON.
pub(super) fn value(object: &DynamicObject) -> Option<Arc<Value>> {
    serde_json::to_value(object).ok().map(Arc::new)
}

fn entry(object: &DynamicObject) -> Option<(Key, Arc<Value>)> {
    Some((key(object), value(object)?))
}

fn key(object: &DynamicObject) -> Key {
    (object.metadata.namespace.clone().unwrap_or_default(), object.metadata.name.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, value: &str) -> DynamicObject {
        serde_json::from_value(json!({"metadata": {"name": name}, "data": {"k": value}})).unwrap()
    }

    #[tokio::test]
    async fn a_list_takes_the_place_of_the_copy_only_when_it_has_been_read_to_its_end() {
        let followed = Followed { state: Mutex::default(), changes: watch::channel(0).0 };
        let names = |followed: &Followed| {
            let list = followed.list();
            list.iter().map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        for event in [Event::Init, Event::InitApply(object("a", "1")), Event::InitApply(object("b", "1"))] {
            followed.apply(event);
            assert!(names(&followed).is_empty() && *followed.changes().borrow() == 0);
        }
        followed.apply(Event::InitDone);
        followed.synced().await;
        assert_eq!(names(&followed), ["a", "b"]);
        assert!(Arc::ptr_eq(&followed.list(), &followed.list()), "the same slice while nothing changes");
        followed.apply(Event::Apply(object("a", "2")));
        assert_eq!(followed.get("", "a").unwrap()["data"]["k"], "2");
        followed.apply(Event::Init);
        followed.apply(Event::InitApply(object("c", "1")));
        assert_eq!(names(&followed), ["a", "b"]);
        followed.apply(Event::InitDone);
        assert_eq!(names(&followed), ["c"]);
        followed.apply(Event::Delete(object("c", "1")));
        assert!(names(&followed).is_empty());
    }
}

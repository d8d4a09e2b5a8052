//! What the scheduler has written and its caches do not show yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crds::App;
use kube::ResourceExt;
use runtime::ObjectKey;

#[derive(Default)]
struct State {
    apps: HashMap<ObjectKey, Arc<App>>,
    pods: HashMap<ObjectKey, (String, String)>,
}

/// Written Apps and bound Pods, until the watch has brought them. Cheap to clone.
#[derive(Clone, Default)]
pub struct Assumed(Arc<Mutex<State>>);

impl Assumed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An App as the API server answered a write.
    pub fn app(&self, app: App) {
        self.state().apps.insert(ObjectKey::of(&app), Arc::new(app));
    }

    /// A Pod, by its uid, on a node.
    pub fn pod(&self, key: ObjectKey, uid: String, node: String) {
        self.state().pods.insert(key, (uid, node));
    }

    /// The newer of what is assumed and what the cache has.
    pub fn newest(&self, cached: Arc<App>) -> Arc<App> {
        match self.state().apps.get(&ObjectKey::of(&*cached)) {
            Some(assumed) if assumed.metadata.uid == cached.metadata.uid && revision(assumed) > revision(&cached) => {
                assumed.clone()
            }
            _ => cached,
        }
    }

    /// The node that a Pod was bound to.
    pub fn node(&self, key: &ObjectKey, uid: Option<&str>) -> Option<String> {
        self.state().pods.get(key).filter(|(assumed, _)| Some(assumed.as_str()) == uid).map(|(_, node)| node.clone())
    }

    /// The cache has an App of this version now, or has it no more.
    pub fn app_seen(&self, app: &App, deleted: bool) {
        let mut state = self.state();
        let key = ObjectKey::of(app);
        if state.apps.get(&key).is_some_and(|assumed| deleted || revision(assumed) <= revision(app)) {
            state.apps.remove(&key);
        }
    }

    /// The cache has a Pod with its node now, or has the Pod no more.
    pub fn pod_seen(&self, key: &ObjectKey) {
        self.state().pods.remove(key);
    }
}

/// Versions of one resource are ordered numbers (upstream promises it since 1.35).
fn revision(app: &App) -> u64 {
    app.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0)
}

//! Informers: a watch kept in memory, with handlers told of every change.

use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Debug, Display};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::sync::RwLock;
use tokio::sync::watch;

/// What tells an object from others of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl ObjectKey {
    /// The key of a namespace and a name.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object.
    pub fn of<K: ResourceExt>(object: &K) -> Self {
        let meta = object.meta();
        Self { namespace: meta.namespace.clone().unwrap_or_default(), name: meta.name.clone().unwrap_or_default() }
    }
}

impl Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

/// A change that an informer saw.
#[derive(Debug)]
pub enum Change<'a, K> {
    /// The object is new or has a new resourceVersion.
    Applied {
        /// What was known before.
        old: Option<&'a Arc<K>>,
        /// What is known now.
        new: &'a Arc<K>,
    },
    /// The object is gone; its last known state.
    Deleted(&'a Arc<K>),
}

impl<K> Change<'_, K> {
    /// The newest known state of the object.
    pub fn object(&self) -> &Arc<K> {
        match self {
            Self::Applied { new, .. } => new,
            Self::Deleted(object) => object,
        }
    }
}

type Handler<K> = Box<dyn Fn(Change<'_, K>) + Send + Sync>;
type IndexFn<K> = fn(&K) -> Option<String>;

struct Objects<K> {
    by_key: HashMap<ObjectKey, Arc<K>>,
    /// For each index function: index value to keys.
    indices: Vec<HashMap<String, BTreeSet<ObjectKey>>>,
}

/// The objects an informer knows. Cheap to clone; always readable.
pub struct Store<K> {
    objects: Arc<RwLock<Objects<K>>>,
    index_fns: Arc<[IndexFn<K>]>,
    synced: watch::Receiver<bool>,
}

impl<K> Clone for Store<K> {
    fn clone(&self) -> Self {
        Self { objects: self.objects.clone(), index_fns: self.index_fns.clone(), synced: self.synced.clone() }
    }
}

impl<K> Store<K> {
    /// The object of a key.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.read().by_key.get(key).cloned()
    }

    /// Every object, in no order.
    pub fn list(&self) -> Vec<Arc<K>> {
        self.read().by_key.values().cloned().collect()
    }

    /// The objects for which the `index`-th index function gives `value`, ordered by key.
    pub fn by_index(&self, index: usize, value: &str) -> Vec<Arc<K>> {
        let objects = self.read();
        let Some(keys) = objects.indices.get(index).and_then(|index| index.get(value)) else { return Vec::new() };
        keys.iter().filter_map(|key| objects.by_key.get(key).cloned()).collect()
    }

    /// Whether an object of that key is known.
    pub fn contains(&self, key: &ObjectKey) -> bool {
        self.read().by_key.contains_key(key)
    }

    /// Returns when the first list is complete.
    pub async fn synced(&self) {
        let mut synced = self.synced.clone();
        // The sender lives as long as the informer; when that is dropped, so is whoever waits here.
        if synced.wait_for(|synced| *synced).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Objects<K>> {
        self.objects.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Objects<K>> {
        self.objects.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn insert(&self, key: ObjectKey, object: Arc<K>) -> Option<Arc<K>> {
        let mut objects = self.write();
        let old = objects.by_key.insert(key.clone(), object.clone());
        for (index, of) in self.index_fns.iter().enumerate() {
            let (before, after) = (old.as_deref().and_then(of), of(&object));
            if before == after {
                continue;
            }
            if let Some(before) = before {
                forget(&mut objects.indices[index], &before, &key);
            }
            if let Some(after) = after {
                objects.indices[index].entry(after).or_default().insert(key.clone());
            }
        }
        old
    }

    fn remove(&self, key: &ObjectKey) -> Option<Arc<K>> {
        let mut objects = self.write();
        let old = objects.by_key.remove(key)?;
        for (index, of) in self.index_fns.iter().enumerate() {
            if let Some(value) = of(&old) {
                forget(&mut objects.indices[index], &value, key);
            }
        }
        Some(old)
    }
}

fn forget(index: &mut HashMap<String, BTreeSet<ObjectKey>>, value: &str, key: &ObjectKey) {
    if let Some(keys) = index.get_mut(value) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(value);
        }
    }
}

/// A watch of one kind that fills a [`Store`] and tells handlers of every change. It does nothing until
/// [`run`](Self::run) is polled.
pub struct Informer<K> {
    api: Api<K>,
    config: watcher::Config,
    store: Store<K>,
    synced: watch::Sender<bool>,
    handlers: Vec<Handler<K>>,
}

impl<K> Informer<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    /// An informer of what `api` and `config` select. The store answers [`Store::by_index`] by the `index_fns`.
    pub fn new(api: Api<K>, config: watcher::Config, index_fns: &[IndexFn<K>]) -> Self {
        let (synced, receiver) = watch::channel(false);
        let objects = Objects { by_key: HashMap::new(), indices: vec![HashMap::new(); index_fns.len()] };
        let store =
            Store { objects: Arc::new(RwLock::new(objects)), index_fns: Arc::from(index_fns), synced: receiver };
        Self { api, config, store, synced, handlers: Vec::new() }
    }

    /// What the informer knows.
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Adds a handler. It is called in the order of changes, after the store has them, and must not block.
    pub fn on_change(&mut self, handler: impl Fn(Change<'_, K>) + Send + Sync + 'static) {
        self.handlers.push(Box::new(handler));
    }

    /// Watches for as long as it is polled; errors are retried with growing waits.
    pub async fn run(self) {
        let events = watcher::watcher(self.api.clone(), self.config.clone());
        self.follow(events).await;
    }

    async fn follow(self, events: impl Stream<Item = watcher::Result<Event<K>>>) {
        let mut events = std::pin::pin!(events);
        let mut listed: Option<HashMap<ObjectKey, Arc<K>>> = None;
        let mut backoff = Backoff::default();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    // Init comes before the list is asked for; it is no success yet.
                    if !matches!(event, Event::Init) {
                        backoff.reset();
                    }
                    match event {
                        Event::Init => listed = Some(HashMap::new()),
                        Event::InitApply(object) => {
                            let object = self.trim(object);
                            listed.get_or_insert_default().insert(ObjectKey::of(&*object), object);
                        }
                        Event::InitDone => self.replace(listed.take().unwrap_or_default()),
                        Event::Apply(object) => self.apply(self.trim(object)),
                        Event::Delete(object) => self.delete(&ObjectKey::of(&object), Some(object)),
                    }
                }
                Err(error) => {
                    let wait = backoff.failed();
                    tracing::debug!(kind = std::any::type_name::<K>(), error = %crate::error::line(&error), ?wait, "watch failed, trying again");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// No operator reads managedFields; they are most of an object's weight.
    fn trim(&self, mut object: K) -> Arc<K> {
        object.meta_mut().managed_fields = None;
        Arc::new(object)
    }

    fn apply(&self, object: Arc<K>) {
        let old = self.store.insert(ObjectKey::of(&*object), object.clone());
        self.tell(|| Change::Applied { old: old.as_ref(), new: &object });
    }

    fn delete(&self, key: &ObjectKey, last: Option<K>) {
        let old = self.store.remove(key);
        if let Some(last) = last.map(Arc::new).or(old) {
            self.tell(|| Change::Deleted(&last));
        }
    }

    /// Takes over a complete list; what is missing in it was deleted while the watch was down.
    fn replace(&self, listed: HashMap<ObjectKey, Arc<K>>) {
        let gone: Vec<ObjectKey> =
            self.store.read().by_key.keys().filter(|key| !listed.contains_key(key)).cloned().collect();
        let known: Vec<(Option<Arc<K>>, Arc<K>)> =
            listed.into_iter().map(|(key, object)| (self.store.insert(key, object.clone()), object)).collect();
        for key in &gone {
            self.delete(key, None);
        }
        self.synced.send_replace(true);
        for (old, new) in &known {
            self.tell(|| Change::Applied { old: old.as_ref(), new });
        }
    }

    fn tell<'a>(&self, change: impl Fn() -> Change<'a, K>)
    where
        K: 'a,
    {
        for handler in &self.handlers {
            handler(change());
        }
    }
}

/// Waits between tries of a broken watch: short first, so that a restarted server is found at once.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(5);

    /// The wait after one more failure: doubled each time, with up to half of it at random.
    pub fn failed(&mut self) -> Duration {
        let wait = Self::FIRST.saturating_mul(1 << self.failures.min(10)).min(Self::LONGEST);
        self.failures += 1;
        wait.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// Starts anew after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;
    use std::sync::Mutex;

    fn pod(name: &str, node: Option<&str>) -> Pod {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": name, "namespace": "default", "resourceVersion": "1", "managedFields": [{}]},
            "spec": {"nodeName": node, "containers": []},
        }))
        .unwrap()
    }

    fn node_of(pod: &Pod) -> Option<String> {
        pod.spec.as_ref()?.node_name.clone()
    }

    fn api() -> Api<Pod> {
        let service = tower_stub();
        Api::all(kube::Client::new(service, "default"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_keeps_failing_is_asked_for_ever_more_rarely() {
        let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let count = asked.clone();
        let refuse = tower::service_fn(move |_: http::Request<kube::client::Body>| {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            std::future::ready(Err::<http::Response<kube::client::Body>, _>(std::io::Error::other("no server here")))
        });
        let informer =
            Informer::<Pod>::new(Api::all(kube::Client::new(refuse, "default")), watcher::Config::default(), &[]);
        let _ = tokio::time::timeout(Duration::from_secs(60), informer.run()).await;
        let asked = asked.load(std::sync::atomic::Ordering::Relaxed);
        assert!((10..40).contains(&asked), "asked {asked} times in a minute");
    }

    fn tower_stub() -> impl tower::Service<
        http::Request<kube::client::Body>,
        Response = http::Response<kube::client::Body>,
        Error = std::io::Error,
        Future: Send,
    > + Send
    + Clone
    + 'static {
        #[derive(Clone)]
        struct Refuse;
        impl tower::Service<http::Request<kube::client::Body>> for Refuse {
            type Response = http::Response<kube::client::Body>;
            type Error = std::io::Error;
            type Future = std::future::Ready<Result<Self::Response, Self::Error>>;
            fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
                std::task::Poll::Ready(Ok(()))
            }
            fn call(&mut self, _: http::Request<kube::client::Body>) -> Self::Future {
                std::future::ready(Err(std::io::Error::other("no server here")))
            }
        }
        Refuse
    }

    #[tokio::test]
    async fn handlers_hear_every_change_and_what_a_new_list_misses_was_deleted() {
        let mut informer = Informer::new(api(), watcher::Config::default(), &[node_of]);
        let store = informer.store();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = heard.clone();
        informer.on_change(move |change| {
            ear.lock().unwrap().push(match change {
                Change::Applied { old, new } => format!("{}{}", if old.is_some() { "~" } else { "+" }, new.name_any()),
                Change::Deleted(object) => format!("-{}", object.name_any()),
            });
        });
        let events = vec![
            Event::Init,
            Event::InitApply(pod("a", Some("n1"))),
            Event::InitDone,
            Event::Apply(pod("b", Some("n1"))),
            Event::Apply(pod("b", Some("n2"))),
            Event::Init,
            Event::InitApply(pod("b", Some("n2"))),
            Event::InitDone,
            Event::Delete(pod("b", Some("n2"))),
        ];
        informer.follow(futures::stream::iter(events.into_iter().map(Ok))).await;
        assert_eq!(*heard.lock().unwrap(), ["+a", "+b", "~b", "-a", "~b", "-b"]);
        store.synced().await;
        assert!(store.list().is_empty());
    }

    #[tokio::test]
    async fn an_index_follows_its_objects() {
        let informer = Informer::new(api(), watcher::Config::default(), &[node_of]);
        let store = informer.store();
        informer.apply(Arc::new(pod("a", Some("n1"))));
        informer.apply(Arc::new(pod("b", None)));
        let names = |node: &str| store.by_index(0, node).iter().map(|pod| pod.name_any()).collect::<Vec<_>>();
        assert_eq!(names("n1"), ["a"]);
        informer.apply(Arc::new(pod("a", Some("n2"))));
        informer.apply(Arc::new(pod("b", Some("n2"))));
        assert_eq!((names("n1"), names("n2")), (vec![], vec!["a".to_owned(), "b".to_owned()]));
        informer.delete(&ObjectKey::new("default", "a"), None);
        assert_eq!(names("n2"), ["b"]);
    }
}

//! Every promise a list makes, each with a test of its name, while writers are at work.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use http::{Method, StatusCode};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, ObjectList, PostParams};
use kube::{Client, ResourceExt as _};
use serde_json::json;
use tests::watching::Watching;
use tests::{Connections, ControlPlane, Part, Store, on_each_store};

on_each_store!(
    a_list_or_read_is_never_older_than_a_write_acknowledged_before_it,
    pages_show_one_snapshot_while_writes_go_on,
    a_revision_within_history_is_listed_exactly_as_it_was,
    thousands_of_objects_are_listed_and_watched_whole_while_they_are_written,
);

/// Name and value of the objects of a list.
type State = BTreeMap<String, String>;

fn config_map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(
        json!({"metadata": {"name": name, "labels": {"parity": parity(value)}}, "data": {"k": value}}),
    )
    .unwrap()
}

/// A label that changes with every write.
fn parity(value: &str) -> &'static str {
    if value.bytes().last().is_some_and(|digit| digit % 2 == 0) { "even" } else { "odd" }
}

fn value(object: &ConfigMap) -> String {
    object.data.as_ref().and_then(|data| data.get("k")).cloned().unwrap_or_default()
}

fn version(of: Option<String>) -> u64 {
    of.and_then(|version| version.parse().ok()).expect("a resourceVersion")
}

fn revision(list: &ObjectList<ConfigMap>) -> u64 {
    version(list.metadata.resource_version.clone())
}

fn state(list: &ObjectList<ConfigMap>) -> State {
    let state: State = list.items.iter().map(|object| (object.name_any(), value(object))).collect();
    assert_eq!(state.len(), list.items.len(), "no object is listed twice");
    assert!(list.items.is_sorted_by_key(|object| object.name_any()), "a list is in the order of names");
    state
}

/// A namespace without anything in it that a controller may write.
const NAMESPACE: &str = "default";

fn maps(client: &Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), NAMESPACE)
}

/// Runs `test` with the clients of all servers of a store: two over etcd, one over the embedded store.
fn with_servers<F: Future<Output = ()>>(store: Store, test: impl FnOnce(Vec<Client>) -> F) {
    with_planes(store, |planes| async move {
        let clients = planes.iter().map(|plane| async { tests::kube_client(&plane.kubeconfig()).await });
        test(futures::future::join_all(clients).await).await;
    });
}

/// Runs `test` with the servers themselves.
fn with_planes<F: Future<Output = ()>>(store: Store, test: impl FnOnce(Vec<Arc<ControlPlane>>) -> F) {
    let second = match &store {
        Store::Etcd(etcd) => {
            let url = etcd.url();
            Some(ControlPlane::start_with(Part::ApiServer, Store::Embedded, &["--etcd-servers", &url]))
        }
        Store::Embedded => None,
    };
    let first = ControlPlane::start(Part::ApiServer, store);
    let planes: Vec<Arc<ControlPlane>> = [Some(first), second].into_iter().flatten().map(Arc::new).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(test(planes));
}

/// Creates `names`, many at a time.
async fn create(maps: &Api<ConfigMap>, names: impl Iterator<Item = String>) {
    let params = PostParams::default();
    let creations = names.map(|name| {
        let (maps, params) = (&maps, &params);
        async move { maps.create(params, &config_map(&name, "0")).await.map(drop) }
    });
    futures::stream::iter(creations).buffer_unordered(64).try_collect::<()>().await.unwrap();
}

/// All pages of a list, at most `limit` objects each. Checks of every page that it is of one revision, and says how
/// many objects come after it.
async fn pages(maps: &Api<ConfigMap>, first: ListParams, limit: u32) -> (u64, State) {
    let mut params = first.limit(limit);
    let (mut at, mut all, mut expected) = (None, State::new(), None);
    loop {
        let page = maps.list(&params).await.unwrap();
        let (revision, shown) = (revision(&page), state(&page));
        assert_eq!(*at.get_or_insert(revision), revision, "all pages are of one revision");
        all.extend(shown);
        let left = page.metadata.remaining_item_count;
        let Some(token) = page.metadata.continue_.clone().filter(|token| !token.is_empty()) else {
            assert_eq!(left, None, "nothing is left after the last page");
            assert_eq!(expected.unwrap_or(all.len()), all.len(), "as many objects came as were said to");
            return (revision, all);
        };
        assert_eq!(page.items.len(), limit as usize, "a page before the last is full");
        let left = usize::try_from(left.expect("a count of what is left")).unwrap();
        assert_eq!(*expected.get_or_insert(all.len() + left), all.len() + left, "what is left is counted right");
        params = ListParams::default().limit(limit).continue_token(&token);
    }
}

fn a_list_or_read_is_never_older_than_a_write_acknowledged_before_it(store: Store) {
    const WRITERS: usize = 6;
    const WRITES: usize = 40;
    with_servers(store, |clients| async move {
        let writers = (0..WRITERS).map(|writer| {
            let clients = clients.clone();
            async move {
                let name = format!("writer-{writer}");
                let mut object = config_map(&name, "0");
                for write in 0..WRITES {
                    // Written through one server, read through another.
                    let to = maps(&clients[(writer + write) % clients.len()]);
                    let from = maps(&clients[(writer + write + 1) % clients.len()]);
                    let written = match write {
                        0 => to.create(&PostParams::default(), &object).await,
                        _ => to.replace(&name, &PostParams::default(), &object).await,
                    };
                    object = written.unwrap_or_else(|error| panic!("write {write} of {name}: {error}"));
                    let (acknowledged, expected) = (version(object.resource_version()), value(&object));
                    let label = format!("parity={}", parity(&expected));
                    let list = match write % 4 {
                        0 => from.list(&ListParams::default()).await,
                        1 => from.list(&ListParams::default().labels(&label)).await,
                        2 => from.list(&ListParams::default().fields(&format!("metadata.name={name}"))).await,
                        _ => from.list(&ListParams::default().limit(500)).await,
                    };
                    let list = list.unwrap();
                    assert!(revision(&list) >= acknowledged, "{} after {acknowledged}", revision(&list));
                    assert_eq!(state(&list).get(&name), Some(&expected), "write {write} of {name}");
                    let read = from.get(&name).await.unwrap();
                    assert_eq!(value(&read), expected, "write {write} of {name}");
                    object = config_map(&name, &(write + 1).to_string());
                    object.metadata.resource_version = read.resource_version();
                }
            }
        });
        futures::future::join_all(writers).await;
    });
}

fn pages_show_one_snapshot_while_writes_go_on(store: Store) {
    const OBJECTS: usize = 300;
    with_servers(store, |clients| async move {
        let maps = maps(clients.last().unwrap());
        create(&maps, (0..OBJECTS).map(|n| format!("object-{n:04}"))).await;
        // Every object is changed or removed, and others appear between them, while pages are read.
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let writer = {
            let maps = maps.clone();
            async move {
                let mut written = 0;
                while !*stopped.borrow() {
                    let at = written % OBJECTS;
                    let name = format!("object-{at:04}");
                    match written % 3 {
                        0 => {
                            // Gone where it has been removed in a round before.
                            let _ = maps.delete(&name, &DeleteParams::default()).await;
                        }
                        1 => {
                            let new = config_map(&format!("{name}-{written}"), "new");
                            maps.create(&PostParams::default(), &new).await.unwrap();
                        }
                        _ => {
                            let _ = maps.replace(&name, &PostParams::default(), &config_map(&name, "changed")).await;
                        }
                    }
                    written += 1;
                }
                written
            }
        };
        let reader = async {
            let mut newest = 0;
            for limit in [7, 50, 100, 299, 7] {
                let (at, paged) = pages(&maps, ListParams::default(), limit).await;
                assert!(at > newest, "each list is newer than the one before: {at} after {newest}");
                newest = at;
                let exact = ListParams::default().at(&at.to_string()).matching(kube::api::VersionMatch::Exact);
                let whole = maps.list(&exact).await.unwrap();
                assert_eq!((revision(&whole), state(&whole)), (at, paged), "in pages of {limit} and at once");
            }
            stop.send(true).unwrap();
        };
        let (written, ()) = futures::join!(writer, reader);
        assert!(written > 0, "there were writes");
    });
}

fn a_revision_within_history_is_listed_exactly_as_it_was(store: Store) {
    const OBJECTS: usize = 12;
    const WRITES: usize = 90;
    with_servers(store, |clients| async move {
        let mut now = state(&maps(&clients[0]).list(&ListParams::default()).await.unwrap());
        let mut past: Vec<(u64, State)> = Vec::new();
        for write in 0..WRITES {
            let maps = maps(&clients[write % clients.len()]);
            let name = format!("object-{:02}", write * 7 % OBJECTS);
            let object = config_map(&name, &write.to_string());
            let at = if !now.contains_key(&name) {
                now.insert(name, write.to_string());
                version(maps.create(&PostParams::default(), &object).await.unwrap().resource_version())
            } else if write % 3 == 0 {
                now.remove(&name);
                let deleted = maps.delete(&name, &DeleteParams::default()).await.unwrap();
                match deleted.right().and_then(|status| status.details) {
                    // The answer to a delete does not tell its revision: the next list does.
                    Some(_) => revision(&maps.list(&ListParams::default()).await.unwrap()),
                    None => panic!("a ConfigMap is deleted at once"),
                }
            } else {
                now.insert(name.clone(), write.to_string());
                version(maps.replace(&name, &PostParams::default(), &object).await.unwrap().resource_version())
            };
            past.push((at, now.clone()));
        }
        let check = |(at, expected): (u64, State)| {
            let clients = &clients;
            async move {
                let exact = ListParams::default().at(&at.to_string()).matching(kube::api::VersionMatch::Exact);
                for client in clients {
                    let whole = maps(client).list(&exact).await.unwrap_or_else(|error| panic!("at {at}: {error}"));
                    assert_eq!((revision(&whole), state(&whole)), (at, expected.clone()));
                    assert_eq!(pages(&maps(client), exact.clone(), 5).await, (at, expected.clone()));
                    let not_older = maps(client).list(&ListParams::default().at(&at.to_string())).await.unwrap();
                    assert!(revision(&not_older) >= at, "{} is older than {at}", revision(&not_older));
                }
            }
        };
        futures::stream::iter(past).map(check).buffer_unordered(8).collect::<()>().await;
    });
}

fn thousands_of_objects_are_listed_and_watched_whole_while_they_are_written(store: Store) {
    const OBJECTS: usize = 3_000;
    const PATH: &str = "/api/v1/namespaces/default/configmaps";
    let name = |at: usize| format!("object-{at:05}");
    let body = move |at: usize, value: &str| serde_json::to_vec(&config_map(&name(at), value)).unwrap().into();
    with_planes(store, |planes| async move {
        // Written through one server, read through another.
        let connections = &Connections::open(&planes[0].kubeconfig(), 4).await;
        let client = tests::kube_client(&planes[planes.len() - 1].kubeconfig()).await;
        let maps = maps(&client);
        let create = |at: usize| async move { drop(connections.post(PATH, body(at, "0")).await) };
        futures::stream::iter(0..OBJECTS).for_each_concurrent(256, create).await;

        let stop = AtomicBool::new(false);
        let writer = async {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                // All over the names; each round removes some, and adds some between the others.
                let at = written * 7919 % OBJECTS;
                let (method, path, body) = match written % 4 {
                    0 => (Method::DELETE, format!("{PATH}/{}", name(at)), Bytes::new()),
                    1 => (Method::POST, PATH.to_owned(), body(OBJECTS + written, "new")),
                    _ => (Method::PUT, format!("{PATH}/{}", name(at)), body(at, &written.to_string())),
                };
                let status = connections.send(method, &path, &[], body).await.status;
                // What is written to may have been removed before.
                assert!(status.is_success() || status == StatusCode::NOT_FOUND, "{path}: {status}");
                written += 1;
            }
            written
        };
        let reader = async {
            let (at, paged) = pages(&maps, ListParams::default(), 100).await;
            let exact = |at: u64| ListParams::default().at(&at.to_string()).matching(kube::api::VersionMatch::Exact);
            let whole = maps.list(&exact(at)).await.unwrap();
            assert!(revision(&whole) == at && state(&whole) == paged, "what 100 at a time show is not what there was");

            let newest = maps.list(&ListParams::default()).await.unwrap();
            assert!(revision(&newest) > at, "writes go on");
            let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
            let mut watch = Watching::open(&client, &format!("{PATH}?{query}")).await.unwrap();
            let mut initial = watch.until(|event| event.kind != "ADDED").await;
            let bookmark = initial.pop().unwrap();
            assert!(bookmark.ends_initial_events && bookmark.revision >= revision(&newest), "{bookmark:?}");
            let whole = maps.list(&exact(bookmark.revision)).await.unwrap();
            let listed: BTreeMap<String, u64> = whole
                .items
                .iter()
                .map(|object| (format!("{NAMESPACE}/{}", object.name_any()), version(object.resource_version())))
                .collect();
            assert_eq!(initial.len(), listed.len(), "each object is told once");
            let told: BTreeMap<String, u64> = initial.into_iter().map(|event| (event.object, event.revision)).collect();
            assert!(told == listed, "initial events are not the state at their bookmark");
            stop.store(true, Ordering::Relaxed);
        };
        let (written, ()) = futures::join!(writer, reader);
        assert!(written > 0, "there were writes");
    });
}

//! Watches that begin with the state.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, VersionMatch};
use kube::{Client, ResourceExt as _};
use tests::watching::Watching;
use tests::{ControlPlane, Part, Store, on_each_store};

use super::load::{self, check_ordered};

on_each_store!(
    initial_events_are_the_state_at_their_bookmark_and_what_follows_is_all_that_came_after_it,
    a_watch_at_no_revision_begins_with_a_state_and_goes_on_from_it,
);

const ALL: &str = "/api/v1/configmaps";
/// No more watches than this are opened within the writes, however slow those are.
const WATCHES: usize = 40;

fn with_client<F: Future<Output = ()>>(store: Store, test: impl FnOnce(Client) -> F) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { test(tests::kube_client(&plane.kubeconfig()).await).await });
}

/// The state of everything at exactly `revision`.
async fn listed_at(client: &Client, revision: u64) -> BTreeMap<String, u64> {
    let exactly = ListParams::default().at(&revision.to_string()).matching(VersionMatch::Exact);
    let list = Api::<ConfigMap>::all(client.clone()).list(&exactly).await.unwrap();
    let revision = |object: &ConfigMap| object.resource_version().unwrap().parse().unwrap();
    list.items
        .iter()
        .map(|object| (format!("{}/{}", object.namespace().unwrap(), object.name_any()), revision(object)))
        .collect()
}

fn initial_events_are_the_state_at_their_bookmark_and_what_follows_is_all_that_came_after_it(store: Store) {
    with_client(store, |client| async move {
        load::prepare(&client).await;
        let writing = load::write(&client, 150);
        tokio::pin!(writing);
        // Watches are opened one after the other while writes go on.
        let mut watches = Vec::new();
        let mut opening = FuturesUnordered::new();
        let open = || async {
            let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
            let mut watch = Watching::open(&client, &format!("{ALL}?{query}")).await.unwrap();
            let initial = watch.until(|event| event.kind == "BOOKMARK").await;
            (initial, watch)
        };
        opening.push(open());
        let written = loop {
            tokio::select! {
                written = &mut writing => break written,
                Some(opened) = opening.next() => {
                    watches.push(opened);
                    if watches.len() < WATCHES {
                        opening.push(open());
                    }
                }
            }
        };
        let whole: u64 = written.len() as u64;
        assert!(watches.len() > 1, "no watch was opened within {whole} writes");
        let end = listed_at_end(&client).await;
        for (mut initial, mut watch) in watches {
            let bookmark = initial.pop().unwrap();
            assert!(bookmark.ends_initial_events, "{bookmark:?}");
            assert!(initial.iter().all(|event| event.kind == "ADDED"), "{initial:?}");
            let mut state: BTreeMap<String, u64> =
                initial.into_iter().map(|event| (event.object, event.revision)).collect();
            assert_eq!(state, listed_at(&client, bookmark.revision).await, "at revision {}", bookmark.revision);
            let mut told = Vec::new();
            // The events after it lead from that state to the last one.
            while state != end.0
                || told.last().map_or(bookmark.revision, |event: &tests::watching::Event| event.revision) < end.1
            {
                let event = watch.next().await.expect("a watch without a time limit goes on");
                assert!(event.revision > bookmark.revision, "{event:?} belongs before the bookmark {bookmark:?}");
                match event.kind.as_str() {
                    "DELETED" => state.remove(&event.object),
                    // The periodic ones, where reading takes long.
                    "BOOKMARK" => continue,
                    _ => state.insert(event.object.clone(), event.revision),
                };
                told.push(event);
            }
            check_ordered(&told);
        }
    });
}

/// The state when the writers are done, and the revision of the last write to it.
async fn listed_at_end(client: &Client) -> (BTreeMap<String, u64>, u64) {
    let list = Api::<ConfigMap>::all(client.clone()).list(&ListParams::default()).await.unwrap();
    let revision = list.metadata.resource_version.unwrap().parse().unwrap();
    let state = listed_at(client, revision).await;
    let last = state.values().copied().max().unwrap_or(0);
    (state, last)
}

fn a_watch_at_no_revision_begins_with_a_state_and_goes_on_from_it(store: Store) {
    with_client(store, |client| async move {
        load::prepare(&client).await;
        load::write(&client, 20).await;
        for revision in ["", "resourceVersion=0"] {
            let (state, _) = listed_at_end(&client).await;
            let mut watch = Watching::open(&client, &format!("{ALL}?{revision}")).await.unwrap();
            let mut told = BTreeMap::new();
            while told != state {
                let event = watch.next().await.expect("a watch without a time limit goes on");
                assert_eq!(event.kind, "ADDED", "{revision}: {event:?}");
                told.insert(event.object, event.revision);
            }
            let newest = load::touch(&client).await;
            let event = watch.next().await.expect("a watch without a time limit goes on");
            assert_eq!((event.kind.as_str(), event.revision), ("ADDED", newest), "{event:?}");
        }
    });
}

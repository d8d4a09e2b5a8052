//! Watches that follow the writes: ordered, unique, complete, resumable, bookmarkable.

use futures::future::join_all;
use kube::Client;
use tests::watching::{Event, Watching};
use tests::{ControlPlane, Part, Store, on_each_store};
use tokio::sync::mpsc;

use super::load::{self, NAMESPACES, check_complete, check_ordered, filtered};

on_each_store!(
    a_hundred_watchers_are_each_told_every_write_once_in_order_while_writes_land,
    a_watch_cut_anywhere_and_resumed_misses_nothing_and_repeats_nothing,
    a_bookmark_says_that_all_before_it_was_told_and_a_watch_from_it_tells_all_after_it,
);

const ALL: &str = "/api/v1/configmaps";

fn with_client<F: Future<Output = ()>>(store: Store, test: impl FnOnce(Client) -> F) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { test(tests::kube_client(&plane.kubeconfig()).await).await });
}

/// What a watcher asks for, and which events of the whole history concern it.
struct Scope {
    path: String,
    matches: Box<dyn Fn(&Event) -> bool + Send>,
}

fn scope(watcher: usize) -> Scope {
    let namespace = NAMESPACES[watcher % NAMESPACES.len()];
    let in_namespace = format!("{namespace}/");
    let name = format!("w{}-{}", watcher % 8, watcher % 37);
    match watcher % 5 {
        0 => Scope { path: format!("{ALL}?"), matches: Box::new(|_| true) },
        1 => Scope {
            path: format!("/api/v1/namespaces/{namespace}/configmaps?"),
            matches: Box::new(move |event| event.object.starts_with(&in_namespace)),
        },
        2 => Scope {
            path: format!("{ALL}?labelSelector=group%3Da&"),
            matches: Box::new(|event| event.group.as_deref() == Some("a")),
        },
        3 => Scope { path: format!("{ALL}?labelSelector=!group&"), matches: Box::new(|event| event.group.is_none()) },
        _ => Scope {
            path: format!("{ALL}?fieldSelector=metadata.name%3D{name}&"),
            matches: Box::new(move |event| event.object.split('/').nth(1) == Some(&*name)),
        },
    }
}

/// The whole history after `start`: what a watcher is told that comes when all `writes` are done, checked against the
/// writers' own answers.
async fn history(client: &Client, start: u64, written: &[load::Write]) -> Vec<Event> {
    let mut watch = Watching::open(client, &format!("{ALL}?resourceVersion={start}")).await.unwrap();
    let mut told = Vec::new();
    while told.len() < written.len() {
        told.push(watch.next().await.expect("a watch without a time limit goes on"));
    }
    check_complete(written, &told);
    told
}

/// Follows a watch in a task of its own, so that it is read as fast as it is told.
fn follow(mut watch: Watching) -> mpsc::UnboundedReceiver<Event> {
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(event) = watch.next().await {
            if tell.send(event).is_err() {
                return;
            }
        }
    });
    told
}

/// Checks that what a watcher is told is `expected`, event by event.
async fn check_told(watcher: &str, mut told: mpsc::UnboundedReceiver<Event>, expected: &[Event]) {
    for (at, expected) in expected.iter().enumerate() {
        let event = told.recv().await.unwrap_or_else(|| panic!("{watcher}: ended before event {at}, {expected:?}"));
        assert_eq!(&event, expected, "{watcher}, event {at}");
    }
}

fn a_hundred_watchers_are_each_told_every_write_once_in_order_while_writes_land(store: Store) {
    with_client(store, |client| async move {
        let start = load::prepare(&client).await;
        let watchers = join_all((0..100).map(|watcher| {
            let client = client.clone();
            async move {
                let Scope { path, matches } = scope(watcher);
                let watch = Watching::open(&client, &format!("{path}resourceVersion={start}")).await.unwrap();
                (format!("watcher {watcher} of {path}"), matches, follow(watch))
            }
        }))
        .await;
        let written = load::write(&client, 400).await;
        let history = history(&client, start, &written).await;
        for (watcher, matches, told) in watchers {
            check_told(&watcher, told, &filtered(&history, matches)).await;
        }
    });
}

fn a_watch_cut_anywhere_and_resumed_misses_nothing_and_repeats_nothing(store: Store) {
    with_client(store, |client| async move {
        let start = load::prepare(&client).await;
        // Each cuts its watch after as many events as its number says, and resumes after the last one it was told.
        let resuming = (1..=20).map(|cut| {
            let client = client.clone();
            let Scope { path, matches } = scope(cut);
            let (tell, told) = mpsc::unbounded_channel();
            tokio::spawn(async move {
                let mut last = start;
                loop {
                    let mut watch = Watching::open(&client, &format!("{path}resourceVersion={last}")).await.unwrap();
                    for _ in 0..cut {
                        let Some(event) = watch.next().await else { break };
                        last = event.revision;
                        if tell.send(event).is_err() {
                            return;
                        }
                    }
                }
            });
            (format!("the watcher that is cut after {cut}"), matches, told)
        });
        let resuming: Vec<_> = resuming.collect();
        let written = load::write(&client, 150).await;
        let history = history(&client, start, &written).await;
        for (watcher, matches, told) in resuming {
            check_told(&watcher, told, &filtered(&history, matches)).await;
        }
    });
}

fn a_bookmark_says_that_all_before_it_was_told_and_a_watch_from_it_tells_all_after_it(store: Store) {
    with_client(store, |client| async move {
        let start = load::prepare(&client).await;
        let writing = tokio::spawn({
            let client = client.clone();
            async move { load::write(&client, 300).await }
        });
        // A watch that is about to end is told a bookmark: watches of the shortest life, one after the other.
        let bookmarked = join_all((0..10).map(|watcher| {
            let client = client.clone();
            async move {
                let Scope { path, matches } = scope(watcher);
                let query = format!("{path}resourceVersion={start}&allowWatchBookmarks=true&timeoutSeconds=3");
                let mut watch = Watching::open(&client, &query).await.unwrap();
                let told = watch.until(|event| event.kind == "BOOKMARK").await;
                (path, matches, told)
            }
        }))
        .await;
        let written = writing.await.unwrap();
        let history = history(&client, start, &written).await;
        for (path, matches, mut told) in bookmarked {
            let bookmark = told.pop().filter(|event| event.kind == "BOOKMARK").expect("a bookmark before the end");
            check_ordered(&told);
            let all = filtered(&history, matches);
            let (before, after) = all.split_at(all.partition_point(|event| event.revision <= bookmark.revision));
            assert_eq!(told, before, "{path}: told before the bookmark at {}", bookmark.revision);
            let from = format!("{path}resourceVersion={}", bookmark.revision);
            check_told(&path, follow(Watching::open(&client, &from).await.unwrap()), after).await;
        }
    });
}

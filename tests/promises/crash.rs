//! What holds when a process is ended at the worst moment.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, PostParams, WatchEvent, WatchParams};
use kube::{Client, ResourceExt as _};
use serde_json::json;
use tests::wait::eventually_async;
use tests::{ControlPlane, Part, Store, on_each_store};
use tokio::runtime::Runtime;

on_each_store!(a_killed_server_keeps_every_acknowledged_write_and_watches_resume_without_gap_or_repeat);

async fn client(plane: &ControlPlane) -> Client {
    tests::kube_client(&plane.kubeconfig()).await
}

fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"k": "v"}})).unwrap()
}

/// Creates objects one after the other until told to stop; the names that were acknowledged.
async fn write_until(api: Api<ConfigMap>, writer: usize, stop: Arc<AtomicBool>) -> BTreeSet<String> {
    let mut acknowledged = BTreeSet::new();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("w{writer}-{n}");
        if api.create(&PostParams::default(), &config_map(&name)).await.is_ok() {
            acknowledged.insert(name);
        } else {
            tokio::task::yield_now().await;
        }
    }
    acknowledged
}

/// Follows a collection over breaks by resuming after the last revision seen, until `enough`; every name in order.
async fn follow(
    api: Api<ConfigMap>,
    mut from: String,
    mut enough: impl FnMut(&[(u64, String)]) -> bool,
) -> Vec<(u64, String)> {
    let mut seen = Vec::new();
    loop {
        let Ok(events) = api.watch(&WatchParams::default(), &from).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let mut events = events.boxed();
        while let Some(Ok(event)) = events.next().await {
            match event {
                WatchEvent::Added(object) => {
                    from = object.resource_version().unwrap();
                    seen.push((from.parse().unwrap(), object.name_any()));
                }
                WatchEvent::Bookmark(bookmark) => from = bookmark.metadata.resource_version,
                WatchEvent::Error(status) => panic!("the watch cannot be resumed from {from}: {status:?}"),
                other => panic!("nothing but creations happened: {other:?}"),
            }
            if enough(&seen) {
                return seen;
            }
        }
    }
}

fn a_killed_server_keeps_every_acknowledged_write_and_watches_resume_without_gap_or_repeat(store: Store) {
    let mut plane = ControlPlane::start(Part::ApiServer, store);
    let runtime = Runtime::new().unwrap();
    let api: Api<ConfigMap> = runtime.block_on(async { Api::namespaced(client(&plane).await, "default") });
    let start = runtime.block_on(api.list(&ListParams::default())).unwrap().metadata.resource_version.unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4).map(|writer| runtime.spawn(write_until(api.clone(), writer, stop.clone()))).collect();
    let watcher = runtime.spawn(follow(api.clone(), start, |seen| seen.iter().any(|(_, name)| name == "the-last")));
    for _ in 0..3 {
        // In the middle of a stream of writes: some more have landed since the last start.
        let before = runtime.block_on(count(&api));
        runtime.block_on(eventually_async("writes land", || async {
            let now = count(&api).await;
            if now > before + 20 { Ok(()) } else { Err(now) }
        }));
        plane.kill();
        plane.restart();
    }
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = BTreeSet::new();
    for writer in writers {
        acknowledged.extend(runtime.block_on(writer).unwrap());
    }
    runtime.block_on(eventually_async("the last write", || async {
        api.create(&PostParams::default(), &config_map("the-last")).await
    }));

    let listed: BTreeSet<String> = runtime
        .block_on(api.list(&ListParams::default()))
        .unwrap()
        .items
        .iter()
        .map(|object| object.name_any())
        .filter(|name| name != "kube-root-ca.crt")
        .collect();
    let lost: Vec<_> = acknowledged.difference(&listed).collect();
    assert!(lost.is_empty(), "acknowledged and gone: {lost:?}");

    let seen = runtime.block_on(watcher).unwrap();
    assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order of revision, none twice");
    let names: BTreeSet<String> = seen.iter().map(|(_, name)| name.clone()).collect();
    assert_eq!(names.len(), seen.len(), "none twice");
    let missed: Vec<_> = listed.difference(&names).collect();
    assert!(missed.is_empty(), "stored and never seen: {missed:?}");
}

async fn count(api: &Api<ConfigMap>) -> usize {
    api.list_metadata(&ListParams::default()).await.map_or(0, |list| list.items.len())
}

#[test]
fn while_etcd_is_away_requests_fail_with_a_clear_5xx_and_they_recover_when_it_is_back() {
    let mut plane = ControlPlane::start(Part::ApiServer, Store::start_etcd());
    let runtime = Runtime::new().unwrap();
    let api: Api<ConfigMap> = runtime.block_on(async { Api::namespaced(client(&plane).await, "default") });
    runtime.block_on(api.create(&PostParams::default(), &config_map("before"))).unwrap();
    let start = runtime.block_on(api.list(&ListParams::default())).unwrap().metadata.resource_version.unwrap();
    let watcher = runtime.spawn(follow(api.clone(), start, |seen| seen.iter().any(|(_, name)| name == "after")));

    let Store::Etcd(etcd) = &mut plane.store else { unreachable!("started with etcd") };
    etcd.kill();
    match runtime.block_on(api.create(&PostParams::default(), &config_map("during"))) {
        Err(kube::Error::Api(status)) => assert!((500..600).contains(&status.code), "{status:?}"),
        other => panic!("a Status was expected: {other:?}"),
    }
    etcd.restart();
    runtime.block_on(eventually_async("writes are taken again", || async {
        match api.create(&PostParams::default(), &config_map("after")).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
            Err(error) => Err(error),
        }
    }));
    assert_eq!(runtime.block_on(api.get("before")).unwrap().name_any(), "before");
    let seen: Vec<String> = runtime.block_on(watcher).unwrap().into_iter().map(|(_, name)| name).collect();
    assert_eq!(seen.last().map(String::as_str), Some("after"), "{seen:?}");
    assert!(plane.process().running());
}

//! How far back the past can be read.

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use kube::api::{Api, ListParams, PostParams, VersionMatch, WatchEvent, WatchParams};
use serde_json::json;
use tests::wait::eventually_async;
use tests::{ControlPlane, Part, Store, on_each_store};

on_each_store!(what_is_compacted_is_answered_410_and_the_rest_exactly_also_after_a_restart);

fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
}

fn what_is_compacted_is_answered_410_and_the_rest_exactly_also_after_a_restart(store: Store) {
    let mut plane = ControlPlane::start_with(Part::ApiServer, store, &["--etcd-compaction-interval", "1s"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = runtime.block_on(tests::kube_client(&plane.kubeconfig()));
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let secrets: Api<Secret> = Api::namespaced(client, "default");
    let create = |name: &str| {
        let created = runtime.block_on(maps.create(&PostParams::default(), &config_map(name))).unwrap();
        created.resource_version().unwrap()
    };
    let old = create("old");
    // A resource nobody has read yet has no history in memory, so this asks the store. Each round writes, because
    // only what lies before the newest write of a round ago is forgotten.
    let mut round = 0;
    runtime.block_on(eventually_async("the first revision is compacted", || {
        round += 1;
        let (maps, secrets, old) = (maps.clone(), secrets.clone(), old.clone());
        async move {
            maps.create(&PostParams::default(), &config_map(&format!("round-{round}")))
                .await
                .map_err(|e| e.to_string())?;
            match secrets.list(&ListParams::default().at(&old).matching(VersionMatch::Exact)).await {
                Err(kube::Error::Api(status)) if status.code == 410 && status.reason == "Expired" => Ok(()),
                Err(other) => Err(other.to_string()),
                Ok(_) => Err("it is still listed".to_owned()),
            }
        }
    }));

    plane.kill();
    plane.restart();
    let first = runtime.block_on(async {
        match maps.watch(&WatchParams::default(), &old).await {
            Ok(events) => events.boxed().next().await,
            Err(error) => Some(Err(error)),
        }
    });
    match first {
        Some(Ok(WatchEvent::Error(status))) => {
            assert_eq!((status.code, status.reason.as_str()), (410, "Expired"), "{status:?}")
        }
        Some(Err(kube::Error::Api(status))) => {
            assert_eq!((status.code, status.reason.as_str()), (410, "Expired"), "{status:?}")
        }
        other => panic!("410 was expected: {other:?}"),
    }
    let from = create("before");
    for name in ["one", "two", "three"] {
        create(name);
    }
    let seen: Vec<String> = runtime.block_on(async {
        let events = maps.watch(&WatchParams::default(), &from).await.unwrap().boxed();
        let names = events.filter_map(|event| async {
            match event {
                Ok(WatchEvent::Added(object)) => Some(object.name_any()),
                other => panic!("three creations were expected: {other:?}"),
            }
        });
        names.take(3).collect().await
    });
    assert_eq!(seen, ["one", "two", "three"]);
}

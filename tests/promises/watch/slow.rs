//! Watchers that do not read.

use futures::stream::{self, StreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams, PostParams};
use serde_json::json;
use tests::process::resident_bytes;
use tests::watching::Watching;
use tests::{ControlPlane, Part, Store, on_each_store};

use super::load::check_ordered;

on_each_store!(a_watcher_that_does_not_read_is_cut_off_holds_up_nobody_and_costs_bounded_memory);

/// Watchers that do not read, writes, and bytes of each object: what the writes weigh is far more than what the server
/// may hold for all of these watchers together.
const SLOW: usize = 50;
const WRITES: usize = 2000;
const BYTES: usize = 20_000;

/// What the server may grow by: its history of events and what is on the way to each watcher. Each watcher holding what
/// it was not told would be SLOW * WRITES * BYTES, 2 GB.
const MAY_GROW: u64 = 400 << 20;

fn a_watcher_that_does_not_read_is_cut_off_holds_up_nobody_and_costs_bounded_memory(store: Store) {
    let mut plane = ControlPlane::start(Part::ApiServer, store);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = plane.process().id();
    runtime.block_on(async {
        let client = tests::kube_client(&plane.kubeconfig()).await;
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
        let start = api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
        let path = format!("/api/v1/namespaces/default/configmaps?resourceVersion={start}");
        let mut slow = Vec::new();
        for _ in 0..SLOW {
            slow.push(Watching::open(&client, &path).await.unwrap());
        }
        let mut reading = Watching::open(&client, &path).await.unwrap();
        let before = resident_bytes(server);
        let writing = tokio::spawn(write(api));
        let mut told = Vec::new();
        while told.len() < WRITES {
            told.push(reading.next().await.expect("who reads is not cut off"));
        }
        check_ordered(&told);
        assert_eq!(told.last().map(|event| event.revision), writing.await.unwrap(), "who reads is told all");
        let grown = resident_bytes(server).saturating_sub(before);
        assert!(grown < MAY_GROW, "{SLOW} watchers that do not read cost {} MB", grown >> 20);
        for mut watch in slow {
            // What was on the way is told in order; then the watch is over, and can be resumed.
            let mut heard = Vec::new();
            while let Some(event) = watch.next().await {
                assert_ne!(heard.len(), WRITES, "a watcher that did not read was told all: nothing was cut off");
                heard.push(event);
            }
            assert_eq!(heard, told[..heard.len()], "a watcher that did not read");
            let last = heard.last().map_or(start.clone(), |event| event.revision.to_string());
            let path = format!("/api/v1/namespaces/default/configmaps?resourceVersion={last}");
            match Watching::open(&client, &path).await {
                Ok(mut resumed) => match resumed.next().await {
                    Some(event) if event.kind == "ERROR" => assert_eq!(event.code, 410, "{event:?}"),
                    event => assert_eq!(event.as_ref(), told.get(heard.len()), "resumed after {last}"),
                },
                Err(error) => panic!("a watch after {last} is refused: {error}"),
            }
        }
    });
}

/// Makes the objects, several at a time; the last revision.
async fn write(api: Api<ConfigMap>) -> Option<u64> {
    let value = "x".repeat(BYTES);
    let writes = stream::iter(0..WRITES).map(|write| {
        let object = json!({"metadata": {"name": format!("o{write}")}, "data": {"big": value}});
        let api = api.clone();
        async move {
            let object = serde_json::from_value(object).unwrap();
            let made = api.create(&PostParams::default(), &object).await.unwrap();
            made.resource_version().unwrap().parse::<u64>().unwrap()
        }
    });
    writes.buffer_unordered(8).collect::<Vec<_>>().await.into_iter().max()
}

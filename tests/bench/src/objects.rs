//! Many instances of one definition: memory against their size on the wire, lists whole and in pages, watches.

use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use futures::StreamExt as _;
use http::Method;
use serde::Deserialize;
use serde_json::json;
use tests::Connections;

use crate::figures::Figures;
use crate::subject::{Meter, Subject, Target};

const GROUP: &str = "bench.example.com";

#[derive(Args, Debug)]
pub struct Options {
    /// How many instances.
    #[arg(long, default_value_t = 100_000)]
    objects: usize,
    /// About how large each is as it is served, in bytes.
    #[arg(long, default_value_t = 1600)]
    size: usize,
}

pub async fn run(options: &Options, target: &Target, figures: &mut Figures) {
    let (mut subject, ready) = target.start();
    if let Some(ready) = ready {
        figures.time("start to ready, empty store", ready);
    }
    let connections = subject.connect().await;
    define(&connections).await;
    let empty = resident(&subject, figures, "ready");

    let meter = Meter::start(&subject);
    let create = futures::stream::iter(0..options.objects).for_each_concurrent(target.in_flight, |number| {
        let (connections, body) = (&connections, object(number, options.size));
        async move { drop(connections.post(&path("/namespaces/default"), body).await) }
    });
    create.await;
    meter.stop(figures, options.objects, "instances created");
    let wire = connections.get(&path("")).await.len() as u64;
    figures.megabytes("instances as they are served", wire);
    let memory = |subject: &Subject, figures: &mut Figures, when: &str| {
        let now = resident(subject, figures, when);
        figures.add(
            format!("  above ready, as a multiple of what is served, {when}"),
            (now as f64 - empty as f64) / wire as f64,
            "x",
        );
    };
    memory(&subject, figures, "instances created");
    reads(options, &subject, &connections, figures).await;
    memory(&subject, figures, "instances listed");
    update(options, target, &connections, figures, &subject).await;
    memory(&subject, figures, "every tenth updated");
    drop(connections);

    if let Some(ready) = subject.restart() {
        figures.time("start to ready, with them in the store", ready);
        let connections = subject.connect().await;
        let begin = Instant::now();
        connections.get(&path("/namespaces/default/instance-0000001")).await;
        figures.time("first read after it", begin.elapsed());
        memory(&subject, figures, "read after a restart");
        reads(options, &subject, &connections, figures).await;
        memory(&subject, figures, "listed after a restart");
    }
    if let Some(usage) = subject.usage() {
        figures.megabytes("peak resident memory", usage.peak);
    }
}

fn path(rest: &str) -> String {
    match rest.strip_prefix("/namespaces/") {
        Some(below) => match below.split_once('/') {
            Some((namespace, name)) => format!("/apis/{GROUP}/v1/namespaces/{namespace}/loads/{name}"),
            None => format!("/apis/{GROUP}/v1/namespaces/{below}/loads"),
        },
        None => format!("/apis/{GROUP}/v1/loads{rest}"),
    }
}

fn resident(subject: &Subject, figures: &mut Figures, when: &str) -> u64 {
    // An allocator gives back what is free a little later.
    std::thread::sleep(Duration::from_secs(1));
    let Some(usage) = subject.usage() else { return 0 };
    figures.megabytes(format!("resident memory, {when}"), usage.resident);
    usage.resident
}

async fn define(connections: &Connections) {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "number": {"type": "integer"},
        "replicas": {"type": "integer", "minimum": 0, "default": 1},
        "parts": {"type": "array", "items": {"type": "object", "properties": {
            "name": {"type": "string", "maxLength": 63}, "value": {"type": "string"}}}},
    }}}});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("loads.{GROUP}")},
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {"plural": "loads", "singular": "load", "kind": "Load", "listKind": "LoadList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    });
    connections.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition.to_string().into()).await;
    while !connections.send(Method::GET, &path(""), &[], Bytes::new()).await.status.is_success() {
        tokio::task::yield_now().await;
    }
}

/// An instance of about `size` bytes as served, where a third or so is metadata.
fn object(number: usize, size: usize) -> Bytes {
    let part = |at: usize| json!({"name": format!("part-{at:02}"), "value": format!("{number:08x}").repeat(6)});
    let parts: Vec<_> = (0..size.saturating_sub(600) / 80).map(part).collect();
    let object = json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "Load",
        "metadata": {"name": format!("instance-{number:07}"),
            "labels": {"app": "bench", "group": format!("group-{}", number % 10)}},
        "spec": {"number": number, "replicas": 1, "parts": parts},
    });
    object.to_string().into()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    metadata: PageMetadata,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageMetadata {
    r#continue: String,
    resource_version: String,
}

async fn reads(options: &Options, subject: &Subject, connections: &Connections, figures: &mut Figures) {
    for (what, query) in [
        ("list of all", ""),
        ("list by label, a tenth", "?labelSelector=group%3Dgroup-3"),
        ("list by field, one", "?fieldSelector=metadata.name%3Dinstance-0000005"),
    ] {
        let mut times = Vec::new();
        for _ in 0..5 {
            let begin = Instant::now();
            connections.get(&path(query)).await;
            times.push(begin.elapsed());
        }
        figures.times(what, times);
    }
    let (mut times, mut token) = (Vec::new(), String::new());
    loop {
        let begin = Instant::now();
        let page = connections.get(&path(&format!("?limit=500&continue={token}"))).await;
        times.push(begin.elapsed());
        let Page { metadata } = serde_json::from_slice(&page).expect("a list");
        token = metadata.r#continue;
        if token.is_empty() {
            break;
        }
    }
    figures.times("a page of 500", times);

    let meter = Meter::start(subject);
    let query = "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut events = connections.lines(&path(query)).await;
    for _ in 0..=options.objects {
        events.next().await.expect("the watch goes on");
    }
    meter.stop(figures, options.objects, "initial events of a watch");
}

/// Updates every tenth, while ten watches look on.
async fn update(
    options: &Options,
    target: &Target,
    connections: &Connections,
    figures: &mut Figures,
    subject: &Subject,
) {
    const WATCHES: usize = 10;
    let updates = options.objects / 10;
    let page = connections.get(&path("?limit=1")).await;
    let Page { metadata } = serde_json::from_slice(&page).expect("a list");
    let watch = path(&format!("?watch=true&resourceVersion={}", metadata.resource_version));
    let meter = Meter::start(subject);
    let watching = futures::future::join_all((0..WATCHES).map(|_| async {
        let mut events = connections.lines(&watch).await;
        for _ in 0..updates {
            events.next().await.expect("the watch goes on");
        }
    }));
    let update = futures::stream::iter((0..options.objects).step_by(10).take(updates)).for_each_concurrent(
        target.in_flight,
        |number| async move {
            let path = path(&format!("/namespaces/default/instance-{number:07}"));
            let merge = [("content-type", "application/merge-patch+json")];
            let body = Bytes::from_static(br#"{"spec":{"replicas":2}}"#);
            connections.send(Method::PATCH, &path, &merge, body).await.granted();
        },
    );
    futures::join!(watching, update);
    meter.stop(figures, updates, "instances patched under ten watches");
}

//! Many instances of one definition: memory against their size on the wire, lists whole and in pages, watches.

use std::time::Instant;

use bytes::Bytes;
use clap::Args;
use futures::StreamExt as _;
use http::Method;
use serde::Deserialize;
use tests::Connections;

use crate::figures::Figures;
use crate::kinds::{self, Kind};
use crate::subject::{Meter, Store, Subject, Target};

#[derive(Args, Debug)]
pub struct Options {
    /// How many instances.
    #[arg(long, default_value_t = 100_000)]
    objects: usize,
    /// About how large each is as it is served, in bytes.
    #[arg(long, default_value_t = 1600)]
    size: usize,
}

pub async fn run(options: &Options, target: &Target, store: Option<Store>, figures: &mut Figures) {
    let kind = &Kind::loads(options.size);
    let (mut subject, ready) = target.start(store);
    if let Some(ready) = ready {
        figures.time("start to ready, empty store", ready);
    }
    let connections = subject.connect().await;
    kinds::define(&connections).await;
    let empty = subject.resident(figures, "ready");

    let meter = Meter::start(&subject);
    let create = futures::stream::iter(0..options.objects).for_each_concurrent(target.in_flight, |number| {
        let (connections, body) = (&connections, kind.one(number));
        async move { drop(connections.post(&kind.collection, body).await) }
    });
    create.await;
    meter.stop(figures, options.objects, "instances created");
    let wire = connections.get(&kind.all).await.len() as u64;
    figures.megabytes("instances as they are served", wire);
    let memory = |subject: &Subject, figures: &mut Figures, when: &str| {
        let now = subject.resident(figures, when);
        figures.add(
            format!("  above ready, as a multiple of what is served, {when}"),
            (now as f64 - empty as f64) / wire as f64,
            "x",
        );
    };
    memory(&subject, figures, "instances created");
    reads(options, kind, &subject, &connections, figures).await;
    memory(&subject, figures, "instances listed");
    update(options, kind, target, &connections, figures, &subject).await;
    memory(&subject, figures, "every tenth updated");
    drop(connections);

    if let Some(ready) = subject.restart() {
        figures.time("start to ready, with them in the store", ready);
        let connections = subject.connect().await;
        let begin = Instant::now();
        connections.get(&format!("{}/object-0000001", kind.collection)).await;
        figures.time("first read after it", begin.elapsed());
        memory(&subject, figures, "read after a restart");
        reads(options, kind, &subject, &connections, figures).await;
        memory(&subject, figures, "listed after a restart");
    }
    if let Some(usage) = subject.usage() {
        figures.megabytes("peak resident memory", usage.peak);
    }
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

async fn reads(options: &Options, kind: &Kind, subject: &Subject, connections: &Connections, figures: &mut Figures) {
    for (what, query) in [
        ("list of all", ""),
        ("list by label, a tenth", Kind::a_tenth()),
        ("list by field, one", "?fieldSelector=metadata.name%3Dobject-0000005"),
    ] {
        let mut times = Vec::new();
        for _ in 0..5 {
            let begin = Instant::now();
            connections.get(&format!("{}{query}", kind.all)).await;
            times.push(begin.elapsed());
        }
        figures.times(what, times);
    }
    let (mut times, mut token) = (Vec::new(), String::new());
    loop {
        let begin = Instant::now();
        let page = connections.get(&format!("{}?limit=500&continue={token}", kind.all)).await;
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
    let mut events = connections.lines(&format!("{}{query}", kind.all)).await;
    for _ in 0..=options.objects {
        events.next().await.expect("the watch goes on");
    }
    meter.stop(figures, options.objects, "initial events of a watch");
}

/// Updates every tenth, while ten watches look on.
async fn update(
    options: &Options,
    kind: &Kind,
    target: &Target,
    connections: &Connections,
    figures: &mut Figures,
    subject: &Subject,
) {
    const WATCHES: usize = 10;
    let updates = options.objects / 10;
    let page = connections.get(&format!("{}?limit=1", kind.all)).await;
    let Page { metadata } = serde_json::from_slice(&page).expect("a list");
    let watch = format!("{}?watch=true&resourceVersion={}", kind.all, metadata.resource_version);
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
            let path = format!("{}/object-{number:07}", kind.collection);
            let merge = [("content-type", "application/merge-patch+json")];
            let body = Bytes::from_static(br#"{"spec":{"replicas":2}}"#);
            connections.send(Method::PATCH, &path, &merge, body).await.granted();
        },
    );
    futures::join!(watching, update);
    meter.stop(figures, updates, "instances patched under ten watches");
}

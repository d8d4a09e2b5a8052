//! Many definitions: until each is served, what they cost in memory, what a start with them takes.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use futures::StreamExt as _;
use http::{Method, StatusCode};
use serde::Deserialize;
use tests::Connections;

use crate::figures::Figures;
use crate::population::{self, Definition};
use crate::subject::{Meter, Store, Subject, Target};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

#[derive(Args, Debug)]
pub struct Options {
    /// How many definitions.
    #[arg(long, default_value_t = 1000)]
    definitions: usize,
    /// How many instances of each.
    #[arg(long, default_value_t = 1)]
    instances: usize,
    /// Take published definitions from this folder (`tests/tools/definitions.py FOLDER`), each under many groups, instead of
    /// invented ones.
    #[arg(long)]
    published: Option<PathBuf>,
    /// Invent definitions of about this many bytes, instead of as mixed ones as published ones are.
    #[arg(long, conflicts_with = "published")]
    size: Option<usize>,
}

pub async fn run(options: &Options, target: &Target, store: Option<Store>, figures: &mut Figures) {
    let (mut subject, ready) = target.start(store);
    if let Some(ready) = ready {
        figures.time("start to ready, empty store", ready);
    }
    let all = match &options.published {
        Some(folder) => population::published(folder, options.definitions),
        None => population::invented(options.definitions, options.size),
    };
    let connections = subject.connect().await;
    let empty = subject.resident(figures, "ready");
    let memory = |subject: &Subject, figures: &mut Figures, when: &str| {
        let now = subject.resident(figures, when);
        figures.kibibytes(format!("  a definition, {when}"), (now as f64 - empty as f64) / all.len() as f64);
    };
    let restart = |subject: &mut Subject, figures: &mut Figures, what: &str| {
        let Some(ready) = subject.restart() else { return false };
        figures.time(format!("start to ready, {what} in the store"), ready);
        std::thread::sleep(Duration::from_secs(3));
        if let Some(usage) = subject.usage() {
            figures.time("  CPU of that start", usage.cpu);
        }
        memory(subject, figures, &format!("{what} in the store, idle"));
        true
    };

    create_definitions(&all, target, &connections, figures, &subject).await;
    memory(&subject, figures, "definitions established");
    drop(connections);
    restart(&mut subject, figures, "definitions");
    let connections = subject.connect().await;
    create_instances(&all, options.instances, target, &connections, figures, &subject).await;
    lists(&all, &connections, figures, "list of each kind").await;
    memory(&subject, figures, "instances created and listed");
    drop(connections);

    if restart(&mut subject, figures, "definitions and instances") {
        let connections = subject.connect().await;
        lists(&all, &connections, figures, "first list of each kind").await;
        memory(&subject, figures, "each kind listed after a start");
    }
    let connections = subject.connect().await;
    lists(&all, &connections, figures, "next list of each kind").await;
    update_instances(&all, target, &connections, figures, &subject).await;
    memory(&subject, figures, "an instance of each updated");
    whole_api(&all, &connections, figures).await;
    memory(&subject, figures, "discovery and OpenAPI read");
    if let Some(usage) = subject.usage() {
        figures.megabytes("peak resident memory", usage.peak);
    }
}

/// Creates them all, many at once, and waits for each to be established.
async fn create_definitions(
    all: &[Definition],
    target: &Target,
    connections: &Connections,
    figures: &mut Figures,
    subject: &Subject,
) {
    let bodies: Vec<Bytes> = all.iter().map(|definition| definition.body.clone()).collect();
    let sizes: Vec<usize> = bodies.iter().map(Bytes::len).collect();
    figures.kibibytes("definition as it is sent, mean", sizes.iter().sum::<usize>() as f64 / all.len() as f64);
    figures.kibibytes("definition as it is sent, largest", sizes.iter().copied().max().unwrap_or(0) as f64);
    let meter = Meter::start(subject);
    let create = futures::stream::iter(bodies)
        .for_each_concurrent(target.in_flight, |body| async { drop(connections.post(DEFINITIONS, body).await) });
    futures::join!(all_established(connections, all.len()), create);
    meter.stop(figures, all.len(), "definitions created and all established");

    // On a server that has them all, until the first request for its instances is served.
    let mut alone = Vec::new();
    for definition in population::invented(all.len() + 20, None).into_iter().skip(all.len()) {
        let begin = Instant::now();
        connections.post(DEFINITIONS, definition.body.clone()).await;
        while !connections.send(Method::GET, &definition.all(), &[], Bytes::new()).await.status.is_success() {
            tokio::task::yield_now().await;
        }
        alone.push(begin.elapsed());
        let path = format!("{DEFINITIONS}/{}", definition.name);
        connections.send(Method::DELETE, &path, &[], Bytes::new()).await.granted();
    }
    figures.times("one more, from its creation until its instances are served", alone);
}

/// Watches the definitions until `count` of them are established.
async fn all_established(connections: &Connections, count: usize) {
    let mut events = connections.lines(&format!("{DEFINITIONS}?watch=true")).await;
    let mut established = HashSet::new();
    while established.len() < count {
        let line = events.next().await.expect("the watch goes on");
        let Event { object } = serde_json::from_slice(&line).expect("an event");
        let holds = |condition: &Condition| condition.kind == "Established" && condition.status == "True";
        if object.status.conditions.iter().flatten().any(holds) {
            established.insert(object.metadata.name);
        }
    }
}

#[derive(Deserialize)]
struct Event {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Option<Vec<Condition>>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

async fn create_instances(
    all: &[Definition],
    each: usize,
    target: &Target,
    connections: &Connections,
    figures: &mut Figures,
    subject: &Subject,
) {
    let meter = Meter::start(subject);
    let instances = (0..each).flat_map(|number| all.iter().map(move |definition| (definition, number)));
    let refused = &AtomicUsize::new(0);
    let create =
        futures::stream::iter(instances).for_each_concurrent(target.in_flight, |(definition, number)| async move {
            let body = definition.instance(number);
            let answer = connections.send(Method::POST, &definition.collection(), &[], body).await;
            // What a schema asks for beyond its structure is not known here.
            if answer.status == StatusCode::UNPROCESSABLE_ENTITY {
                refused.fetch_add(1, Ordering::Relaxed);
            } else {
                answer.granted();
            }
        });
    create.await;
    meter.stop(figures, all.len() * each, "instances created");
    figures.add("  refused by what their schemas ask for", refused.load(Ordering::Relaxed) as f64, "");
}

async fn update_instances(
    all: &[Definition],
    target: &Target,
    connections: &Connections,
    figures: &mut Figures,
    subject: &Subject,
) {
    let meter = Meter::start(subject);
    let update = futures::stream::iter(all).for_each_concurrent(target.in_flight, |definition| async move {
        let path = format!("{}/instance-0000", definition.collection());
        let merge = [("content-type", "application/merge-patch+json")];
        let body = Bytes::from_static(br#"{"metadata":{"labels":{"changed":"yes"}}}"#);
        let answer = connections.send(Method::PATCH, &path, &merge, body).await;
        assert!(answer.status.is_success() || answer.status == StatusCode::NOT_FOUND, "{path}: {}", answer.status);
    });
    update.await;
    meter.stop(figures, all.len(), "instances patched, one of each kind");
}

async fn lists(all: &[Definition], connections: &Connections, figures: &mut Figures, what: &str) {
    let mut times = Vec::with_capacity(all.len());
    for definition in all {
        let begin = Instant::now();
        connections.get(&definition.all()).await;
        times.push(begin.elapsed());
    }
    figures.times(what, times);
    let begin = Instant::now();
    let bytes = connections.get(DEFINITIONS).await.len();
    figures.time(format!("list of all definitions ({:.1} MB)", bytes as f64 / 1e6), begin.elapsed());
}

/// What clients read before they know the API.
async fn whole_api(all: &[Definition], connections: &Connections, figures: &mut Figures) {
    let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let version = all.first().map_or("apis/apps/v1".to_owned(), Definition::version_path);
    let proto = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    let documents = [
        ("/apis", aggregated),
        ("/openapi/v3", "application/json"),
        (&format!("/openapi/v3/{version}"), "application/json"),
        ("/openapi/v2", proto),
        ("/openapi/v2", "application/json"),
    ];
    for (path, accept) in documents {
        for when in ["first", "again"] {
            let begin = Instant::now();
            let answer = connections.send(Method::GET, path, &[("accept", accept)], Bytes::new()).await;
            let time = begin.elapsed();
            let size = answer.granted().len() as f64 / 1e6;
            figures.time(format!("{path} ({size:.1} MB), {when}"), time);
        }
    }
}

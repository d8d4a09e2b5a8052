//! A watch as its bytes come: one event a line, each with the little that a test compares.

use futures::io::{AsyncBufRead, AsyncBufReadExt as _};
use futures::stream::{BoxStream, StreamExt as _};
use kube::Client;
use serde::Deserialize;

/// One event of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    pub kind: String,
    /// `namespace/name`; empty for what has no name.
    pub object: String,
    /// The object's resourceVersion; 0 for what has none.
    pub revision: u64,
    /// The object's label `group`.
    pub group: Option<String>,
    /// The object's `data.value`.
    pub value: Option<String>,
    /// Whether it is the bookmark that ends the initial events.
    pub ends_initial_events: bool,
    /// The code of an `ERROR`.
    pub code: u16,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    metadata: Metadata,
    data: Option<Data>,
    code: Option<u16>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: String,
    namespace: String,
    resource_version: String,
    labels: Labels,
    annotations: Annotations,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Labels {
    group: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "k8s.io/initial-events-end")]
    initial_events_end: Option<String>,
}

#[derive(Deserialize)]
struct Data {
    value: Option<String>,
}

impl Event {
    fn read(line: &str) -> Self {
        let Line { kind, object: Object { metadata, data, code } } =
            serde_json::from_str(line).unwrap_or_else(|e| panic!("not a watch event ({e}): {line}"));
        Self {
            kind,
            object: if metadata.name.is_empty() {
                String::new()
            } else {
                format!("{}/{}", metadata.namespace, metadata.name)
            },
            revision: metadata.resource_version.parse().unwrap_or(0),
            group: metadata.labels.group,
            value: data.and_then(|data| data.value),
            ends_initial_events: metadata.annotations.initial_events_end.as_deref() == Some("true"),
            code: code.unwrap_or(0),
        }
    }
}

/// A running watch.
pub struct Watching {
    events: BoxStream<'static, Event>,
}

impl Watching {
    /// Opens the watch of `path` (with its query, without `watch=true`); the answer's error if it is refused.
    pub async fn open(client: &Client, path: &str) -> Result<Self, kube::Error> {
        let and = if path.contains('?') { '&' } else { '?' };
        let request = http::Request::get(format!("{path}{and}watch=true")).body(Vec::new()).expect("a request");
        Ok(Self::read(client.request_stream(request).await?))
    }

    fn read(bytes: impl AsyncBufRead + Send + 'static) -> Self {
        // A connection that is cut ends the watch, as its end does.
        let lines = Box::pin(bytes).lines().map_while_ok();
        Self { events: lines.map(|line| Event::read(&line)).boxed() }
    }

    /// The next event; `None` when the watch has ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.next().await
    }

    /// The events up to and with the first for which `last` holds, or up to the end of the watch.
    pub async fn until(&mut self, mut last: impl FnMut(&Event) -> bool) -> Vec<Event> {
        let mut seen = Vec::new();
        while let Some(event) = self.next().await {
            let done = last(&event);
            seen.push(event);
            if done {
                break;
            }
        }
        seen
    }
}

/// Streams that end at their first error.
trait MapWhileOk<T> {
    fn map_while_ok(self) -> BoxStream<'static, T>;
}

impl<S, T, E> MapWhileOk<T> for S
where
    S: futures::Stream<Item = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    fn map_while_ok(self) -> BoxStream<'static, T> {
        self.take_while(|item| futures::future::ready(item.is_ok()))
            .filter_map(|item| futures::future::ready(item.ok()))
            .boxed()
    }
}

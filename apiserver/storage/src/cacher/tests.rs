//! What the cacher promises, over a store in memory that can be held, broken and compacted, on a paused clock.

mod bookmarks;
mod fake;
mod lists;
mod model;
mod ordered_map;
mod over_embedded;
mod recovery;
mod watches;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use super::*;
use crate::KeyValue;
use fake::Fake;

const PREFIX: &str = "/registry/pods/";

/// Understands what [`Fake::put`] writes.
struct LabelDecoder;

impl Decoder for LabelDecoder {
    fn decode(&self, kv: &KeyValue) -> Result<Decoded> {
        let text = std::str::from_utf8(&kv.value).unwrap();
        let label = text.split(r#""app":""#).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        Ok(Decoded {
            labels: Pairs::from_iter([("app", label)]),
            fields: Pairs::from_iter([("spec.nodeName", label)]),
            object: with_resource_version(&kv.value, kv.mod_revision, KeyOrder::Declared)?,
        })
    }
}

fn config() -> Config {
    Config::new(PREFIX)
}

fn cacher_with(fake: &Arc<Fake>, config: Config) -> Cacher {
    Cacher::new(fake.clone(), Arc::new(LabelDecoder), config)
}

fn cacher(fake: &Arc<Fake>) -> Cacher {
    cacher_with(fake, config())
}

fn app(value: &str) -> Predicate {
    let value = value.to_string();
    Arc::new(move |entry| entry.label("app") == Some(&value))
}

fn namespace(name: &str) -> Scope {
    Scope::Namespace(name.into())
}

fn object(namespace: &str, name: &str) -> Scope {
    Scope::Object { namespace: namespace.into(), name: name.into() }
}

fn newest(scope: Scope) -> ListRequest {
    ListRequest::new(scope, At::Newest(Freshness::Consistent))
}

/// `default/web@5 web`
fn show_entry(entry: &Entry) -> String {
    format!("{}/{}@{} {}", entry.namespace(), entry.name(), entry.revision(), entry.label("app").unwrap_or_default())
}

fn show_list(listed: &Listed) -> Vec<String> {
    listed.entries.iter().map(|entry| show_entry(entry)).collect()
}

/// `ADDED@5 default/web@5 web`
fn show(item: Result<Delivery>) -> String {
    match item {
        Err(error) => format!("ERROR {error}"),
        Ok(delivery) => {
            let kind = format!("{:?}", delivery.kind()).to_uppercase();
            let end = if delivery.is_initial_events_end() { " end" } else { "" };
            let entry = delivery.entry().map(|entry| format!(" {}", show_entry(entry))).unwrap_or_default();
            if let Some(object) = delivery.object() {
                let revision = format!(r#""resourceVersion":"{}""#, delivery.revision());
                assert!(String::from_utf8_lossy(&object).contains(&revision), "{object:?} is not of {revision}");
                let framed = [format!(r#"{{"type":"{kind}","object":"#).as_bytes(), &object, b"}\n"].concat();
                assert_eq!(delivery.framed().unwrap(), framed);
            }
            format!("{kind}@{}{entry}{end}", delivery.revision())
        }
    }
}

/// What `stream` delivers until nothing more comes; `END` if it is over.
async fn delivered(stream: &mut WatchStream) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_millis(20), stream.next()).await {
            Ok(Some(item)) => seen.push(show(item)),
            Ok(None) => {
                seen.push("END".into());
                return seen;
            }
            Err(_) => return seen,
        }
    }
}

/// Lets everything happen that does not wait for time.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

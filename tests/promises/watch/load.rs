//! Writers that make a history, and the history as their own answers tell it.

use std::collections::BTreeMap;

use futures::future::join_all;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use serde_json::json;
use tests::watching::{Event, Watching};

/// The namespaces the writers write in.
pub const NAMESPACES: [&str; 2] = ["load-0", "load-1"];

/// Writers at work at once.
const WRITERS: usize = 8;

/// What one acknowledged write left.
#[derive(Clone, Debug)]
pub enum Write {
    /// A create or an update, at the revision that its answer gave.
    Put { revision: u64, object: String, group: Option<String>, value: String },
    /// A deletion, after the object's last revision.
    Delete { after: u64, object: String },
}

/// The ConfigMap that a server writes of its own, when it is ready or soon after it.
const SERVERS_OWN: &str = "/api/v1/namespaces/kube-system/configmaps?\
                           fieldSelector=metadata.name%3Dextension-apiserver-authentication&resourceVersion=0";

/// Makes the namespaces; the revision before the first write to come. From there on nobody but the writers writes
/// ConfigMaps.
pub async fn prepare(client: &Client) -> u64 {
    Watching::open(client, SERVERS_OWN).await.unwrap().next().await.expect("the server writes its ConfigMap");
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for name in NAMESPACES {
        let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    }
    let list = Api::<ConfigMap>::all(client.clone()).list(&ListParams::default()).await.unwrap();
    list.metadata.resource_version.unwrap().parse().unwrap()
}

/// Writes `rounds` times with each writer, all at once: objects are made, changed, moved from label group to label
/// group and out of both, and deleted. What was acknowledged, writer by writer.
pub async fn write(client: &Client, rounds: usize) -> Vec<Write> {
    let writers = (0..WRITERS).map(|writer| tokio::spawn(write_as(client.clone(), writer, rounds)));
    join_all(writers).await.into_iter().flat_map(Result::unwrap).collect()
}

async fn write_as(client: Client, writer: usize, rounds: usize) -> Vec<Write> {
    let namespace = NAMESPACES[writer % NAMESPACES.len()];
    let api: Api<ConfigMap> = Api::namespaced(client, namespace);
    let mut written = Vec::new();
    let mut last = BTreeMap::new();
    for round in 0..rounds {
        // Some names are used again after their deletion.
        let name = format!("w{writer}-{}", round % 37);
        let object = format!("{namespace}/{name}");
        let value = format!("{writer}.{round}");
        let group = ["a", "b", ""][round % 3];
        let group = (!group.is_empty()).then(|| group.to_owned());
        let body = json!({"metadata": {"name": name, "labels": {"group": group}}, "data": {"value": value}});
        let answer = match last.get(&name) {
            Some(_) if round % 5 == 0 => {
                api.delete(&name, &DeleteParams::default()).await.unwrap();
                written.push(Write::Delete { after: last.remove(&name).unwrap(), object });
                continue;
            }
            Some(_) => api.patch(&name, &PatchParams::default(), &Patch::Merge(body)).await,
            None => {
                let mut object: ConfigMap = serde_json::from_value(json!({"data": {"value": value}})).unwrap();
                object.metadata.name = Some(name.clone());
                object.metadata.labels = group.clone().map(|group| [("group".to_owned(), group)].into());
                api.create(&PostParams::default(), &object).await
            }
        };
        let revision = answer.unwrap().resource_version().unwrap().parse().unwrap();
        last.insert(name, revision);
        written.push(Write::Put { revision, object, group, value });
    }
    written
}

/// Checks that `told`, a whole watcher's history from before the writes, is what was `written`: every acknowledged
/// write once, at its revision, and nothing else.
pub fn check_complete(written: &[Write], told: &[Event]) {
    check_ordered(told);
    let mut puts: BTreeMap<u64, (&str, &Option<String>, &str)> = BTreeMap::new();
    let mut deletes: Vec<(&str, u64)> = Vec::new();
    for write in written {
        match write {
            Write::Put { revision, object, group, value } => {
                assert!(puts.insert(*revision, (object, group, value)).is_none(), "two writes at revision {revision}");
            }
            Write::Delete { after, object } => deletes.push((object, *after)),
        }
    }
    let mut present: BTreeMap<&str, u64> = BTreeMap::new();
    let mut deleted: Vec<(&str, u64)> = Vec::new();
    for event in told {
        let before = present.get(event.object.as_str()).copied();
        match event.kind.as_str() {
            "DELETED" => {
                deleted.push((&event.object, present.remove(event.object.as_str()).expect("it was there")));
                continue;
            }
            "ADDED" => assert_eq!(before, None, "an object that was there is added: {event:?}"),
            "MODIFIED" => assert!(before.is_some(), "an object that was not there is modified: {event:?}"),
            _ => panic!("not the telling of a write: {event:?}"),
        }
        present.insert(&event.object, event.revision);
        let (object, group, value) =
            puts.remove(&event.revision).unwrap_or_else(|| panic!("nobody wrote this: {event:?}"));
        assert_eq!((&*event.object, &event.group, event.value.as_deref()), (object, group, Some(value)), "{event:?}");
    }
    assert!(puts.is_empty(), "acknowledged and never told: {puts:?}");
    deleted.sort_unstable();
    deletes.sort_unstable();
    assert_eq!(deleted, deletes, "deletions told, deletions acknowledged");
}

/// Checks that revisions only grow: events are in order, and none comes twice.
pub fn check_ordered(told: &[Event]) {
    for pair in told.windows(2) {
        assert!(pair[0].revision < pair[1].revision, "out of order or twice: {:?}, then {:?}", pair[0], pair[1]);
    }
}

/// What a watcher with a filter is told of `history`, the telling of an unfiltered watcher: an object that begins to
/// match is added, one that ceases to is deleted, as it was when it still matched.
pub fn filtered(history: &[Event], matches: impl Fn(&Event) -> bool) -> Vec<Event> {
    let mut matching: BTreeMap<&str, &Event> = BTreeMap::new();
    let mut told = Vec::new();
    for event in history {
        let before = matching.remove(event.object.as_str());
        let after = event.kind != "DELETED" && matches(event);
        if after {
            matching.insert(&event.object, event);
        }
        let (kind, shown) = match (before, after) {
            (None, true) => ("ADDED", event),
            (Some(_), true) => ("MODIFIED", event),
            (Some(before), false) => ("DELETED", before),
            (None, false) => continue,
        };
        told.push(Event { kind: kind.to_owned(), revision: event.revision, ..shown.clone() });
    }
    told
}

/// Makes one more object; its revision.
pub async fn touch(client: &Client) -> u64 {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACES[0]);
    let object = serde_json::from_value(json!({"metadata": {"generateName": "touched-"}})).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap().resource_version().unwrap().parse().unwrap()
}

//! Single objects: create, get, update, patch, delete; and the creates that the store does by itself.

use std::sync::atomic::{AtomicU64, Ordering};

use super::scene::{Scene, latencies};
use crate::baseline;
use crate::kinds::Kind;
use crate::load::{Clients, Took};
use crate::subject::{Cost, Meter};
use crate::wire::{Method, Request};

/// Creates those of these numbers.
pub fn create(clients: &mut Clients, kind: &Kind, numbers: std::ops::Range<usize>) -> Took {
    clients.run(numbers.len(), |number, request| create_one(kind, numbers.start + number, request))
}

/// Creates one.
pub fn create_one(kind: &Kind, number: usize, request: &mut Request) {
    request.method = Method::Post;
    request.content_type = "application/json";
    request.path.clone_from(&kind.collection);
    kind.object(number, "created", "", &mut request.body);
}

/// Creates the first `count`, measured; the revision of each.
pub fn create_measured(scene: &mut Scene<'_>, kind: &Kind, count: usize) -> Vec<AtomicU64> {
    let revisions: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(0)).collect();
    scene.measure("create", count, |clients| {
        clients.run_with(
            count,
            |number, request| create_one(kind, number, request),
            |number, answer| revisions[number].store(revision(answer), Ordering::Relaxed),
        )
    });
    revisions
}

/// The creates again, by the store alone, of the bytes that the server keeps; and how much of that rate the server reached.
pub fn raw(scene: &mut Scene<'_>, kind: &Kind, count: usize) {
    let mut path = String::new();
    kind.path(0, &mut path);
    let value = scene.clients.one().read(&path);
    let key = |number: usize| format!("/raw{}/object-{number:07}", kind.keys);
    let (work, took) = if let Some(mut clients) = scene.subject.clients_of_etcd() {
        let meter = Meter::start(scene.subject);
        let took = baseline::etcd(&mut clients, count, key, &value);
        let cost = Cost { server: None, profile: None, ..meter.read() };
        cost.each(scene.figures, "create, raw etcd", count);
        ("create, raw etcd", took)
    } else if let Some(folder) = scene.subject.folder() {
        ("create, raw redb", baseline::redb(folder, scene.clients.in_flight, count, key, &value))
    } else {
        return;
    };
    let raw = took.rate();
    scene.figures.measure(work, "rate", raw, "/s");
    latencies(scene.figures, work, took.each);
    if let Some(rate) = scene.figures.here("create", "rate") {
        scene.figures.measure("create", "of raw", 100.0 * rate / raw, "%");
    }
}

/// Reads `count` times any of `objects`.
pub fn get(clients: &mut Clients, kind: &Kind, objects: usize, count: usize) -> Took {
    clients.run(count, |number, request| get_one(kind, spread(number, objects), request))
}

/// Reads one.
pub fn get_one(kind: &Kind, number: usize, request: &mut Request) {
    request.method = Method::Get;
    request.body.clear();
    kind.path(number, &mut request.path);
}

/// One of `count`, never the next of the last; all of them in `count` steps, unless 7919 is a factor of it.
pub fn spread(number: usize, count: usize) -> usize {
    number * 7919 % count
}

/// Replaces each, if it is still at the revision that is known.
pub fn update(clients: &mut Clients, kind: &Kind, revisions: &[AtomicU64]) -> Took {
    clients.run_with(
        revisions.len(),
        |number, request| {
            let known = revisions[number].load(Ordering::Relaxed).to_string();
            request.method = Method::Put;
            kind.path(number, &mut request.path);
            kind.object(number, "updated", &known, &mut request.body);
        },
        |number, answer| revisions[number].store(revision(answer), Ordering::Relaxed),
    )
}

/// Merges a change into `count` of `objects`, another each time: what changes nothing costs half.
pub fn patch(clients: &mut Clients, kind: &Kind, objects: usize, count: usize) -> Took {
    clients.run(count, |number, request| {
        patch_one(kind, spread(number, objects), &format!("patched {number}"), request);
    })
}

/// Merges a change into one.
pub fn patch_one(kind: &Kind, number: usize, at: &str, request: &mut Request) {
    request.method = Method::Patch;
    request.content_type = "application/merge-patch+json";
    kind.path(number, &mut request.path);
    kind.patch(at, &mut request.body);
}

/// Deletes those of these numbers.
pub fn delete(clients: &mut Clients, kind: &Kind, numbers: std::ops::Range<usize>) -> Took {
    clients.run(numbers.len(), |number, request| delete_one(kind, numbers.start + number, request))
}

/// Deletes one.
pub fn delete_one(kind: &Kind, number: usize, request: &mut Request) {
    request.method = Method::Delete;
    request.body.clear();
    kind.path(number, &mut request.path);
}

/// The highest revision in an object or a list: its own.
pub fn revision(json: &[u8]) -> u64 {
    let key = br#""resourceVersion":""#;
    let digit = |number: u64, digit: &u8| number * 10 + u64::from(digit - b'0');
    let read = |at: usize| json[at + key.len()..].iter().take_while(|byte| byte.is_ascii_digit()).fold(0, digit);
    memchr::memmem::find_iter(json, key).map(read).max().expect("a resourceVersion")
}

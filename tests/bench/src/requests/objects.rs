//! Single objects: create, get, update, patch, delete; and the creates that the store does by itself.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Work;
use super::scene::Scene;
use crate::baseline;
use crate::kinds::Kind;
use crate::load::{Clients, Took};
use crate::subject::Meter;
use crate::wire::{Method, Request};

/// Creates all; the revision of each.
pub fn create(scene: &mut Scene<'_>, kind: &Kind) -> Vec<AtomicU64> {
    let count = scene.options.objects;
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

fn create_one(kind: &Kind, number: usize, request: &mut Request) {
    request.method = Method::Post;
    request.path.clone_from(&kind.collection);
    kind.object(number, "created", "", &mut request.body);
}

/// The creates again, by the store alone, of the bytes that the server keeps; and how much of that rate the server reached.
pub fn raw(scene: &mut Scene<'_>, kind: &Kind) {
    if !scene.options.wants(Work::Raw) {
        return;
    }
    let mut path = String::new();
    kind.path(0, &mut path);
    let (value, count) = (scene.clients.one().read(&path), scene.options.objects);
    let key = |number: usize| format!("/raw{}/object-{number:07}", kind.keys);
    let (work, took) = if let Some(mut clients) = scene.subject.clients_of_etcd() {
        let meter = Meter::start(scene.subject);
        let took = baseline::etcd(&mut clients, count, key, &value);
        let cost = meter.read();
        let work = "create, raw etcd";
        scene.figures.measure(work, "rate", count as f64 / took.time.as_secs_f64(), "/s");
        crate::subject::Cost { server: None, ..cost }.each(scene.figures, work, count);
        (work, took)
    } else if let Some(folder) = scene.subject.folder() {
        let took = baseline::redb(folder, scene.clients.in_flight, count, key, &value);
        let work = "create, raw redb";
        scene.figures.measure(work, "rate", count as f64 / took.time.as_secs_f64(), "/s");
        (work, took)
    } else {
        return;
    };
    let raw = count as f64 / took.time.as_secs_f64();
    super::scene::latencies(scene.figures, work, took.each);
    if let Some(rate) = scene.figures.here("create", "rate") {
        scene.figures.measure("create", "of raw", 100.0 * rate / raw, "%");
    }
}

/// Reads each three times, one here, one there.
pub fn get(scene: &mut Scene<'_>, kind: &Kind) {
    if !scene.options.wants(Work::Get) {
        return;
    }
    let (objects, count) = (scene.options.objects, 3 * scene.options.objects);
    scene.measure("get", count, |clients| get_some(clients, kind, objects, count));
}

/// Reads `count` times any of `objects`.
pub fn get_some(clients: &mut Clients, kind: &Kind, objects: usize, count: usize) -> Took {
    clients.run(count, |number, request| {
        request.method = Method::Get;
        request.body.clear();
        kind.path(spread(number, objects), &mut request.path);
    })
}

/// One of `count`, never the next of the last; all of them in `count` steps, unless 7919 is a factor of it.
pub fn spread(number: usize, count: usize) -> usize {
    number * 7919 % count
}

/// Replaces each, if it is still at the revision that is known.
pub fn update(scene: &mut Scene<'_>, kind: &Kind, revisions: &[AtomicU64]) {
    if !scene.options.wants(Work::Update) {
        return;
    }
    scene.measure("update", revisions.len(), |clients| {
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
    });
}

/// Merges a change into each.
pub fn patch(scene: &mut Scene<'_>, kind: &Kind) {
    if !scene.options.wants(Work::Patch) {
        return;
    }
    let count = scene.options.objects;
    scene.measure("patch", count, |clients| {
        clients.run(count, |number, request| patch_one(kind, number, "patched", request))
    });
}

/// A merge patch of one object.
pub fn patch_one(kind: &Kind, number: usize, at: &str, request: &mut Request) {
    request.method = Method::Patch;
    request.content_type = "application/merge-patch+json";
    kind.path(number, &mut request.path);
    kind.patch(at, &mut request.body);
}

/// Deletes all.
pub fn delete(scene: &mut Scene<'_>, kind: &Kind) {
    if !scene.options.wants(Work::Delete) {
        return;
    }
    let count = scene.options.objects;
    scene.measure("delete", count, |clients| delete_all(clients, kind, count));
}

/// Deletes the first `count`.
pub fn delete_all(clients: &mut Clients, kind: &Kind, count: usize) -> Took {
    clients.run(count, |number, request| {
        request.method = Method::Delete;
        request.body.clear();
        kind.path(number, &mut request.path);
    })
}

/// The revision that an object, or a list, is at.
pub fn revision(json: &[u8]) -> u64 {
    let key = br#""resourceVersion":""#;
    let at = memchr::memmem::find(json, key).expect("a resourceVersion") + key.len();
    json[at..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

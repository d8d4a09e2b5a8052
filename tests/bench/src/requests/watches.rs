//! Watches: the same events for many, and many that nothing happens to.

use std::collections::HashMap;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use memchr::{memchr, memmem};

use super::objects::{patch_one, revision, spread};
use super::scene::{Scene, latencies};
use crate::figures::milliseconds;
use crate::kinds::Kind;
use crate::subject::{Cost, Meter};
use crate::wire::{Incoming, Request, Wire};

/// Watches on one connection, where the server serves as many.
const ON_ONE_CONNECTION: usize = 100;

/// What a fan-out took: `late` holds the time of each delivered event, from the sending of the update to its arrival.
pub struct FanOut {
    pub time: Duration,
    pub cost: Cost,
    pub late: Vec<Duration>,
}

impl FanOut {
    /// The server's CPU time for an event and one watcher, the update's part in it, in µs.
    pub fn microseconds_an_event(&self) -> Option<f64> {
        Some(milliseconds(self.cost.server?) * 1e3 / self.late.len().max(1) as f64)
    }
}

/// So many watchers on four connections see so many updates of `objects`.
pub fn fan_out(scene: &mut Scene<'_>, kind: &Kind, objects: usize, watchers: usize, updates: usize) -> FanOut {
    const CONNECTIONS: usize = 4;
    let watch = watch_from_now(scene, kind);
    let mut wires: Vec<Wire> = (0..CONNECTIONS).map(|_| scene.connect()).collect();
    let (clock, all_watch) = (Instant::now(), Barrier::new(CONNECTIONS + 1));
    std::thread::scope(|scope| {
        let threads: Vec<_> = wires
            .iter_mut()
            .enumerate()
            .map(|(at, wire)| {
                let share = watchers / CONNECTIONS + usize::from(at < watchers % CONNECTIONS);
                let (watch, all_watch) = (&watch, &all_watch);
                scope.spawn(move || {
                    open(wire, watch, share);
                    all_watch.wait();
                    follow(wire, share * updates, clock)
                })
            })
            .collect();
        all_watch.wait();
        let (begin, meter) = (Instant::now(), Meter::start(scene.subject));
        scene.clients.run(updates, |number, request| {
            patch_one(kind, spread(number, objects), &clock.elapsed().as_nanos().to_string(), request);
        });
        let late = threads.into_iter().flat_map(|thread| thread.join().expect("the watches go on")).collect();
        FanOut { time: begin.elapsed(), cost: meter.read(), late }
    })
}

/// The same as figures: with as many updates in flight as there are of other requests, and with one at a time, for what is late
/// behind many updates has waited for the events before it.
pub fn fan_out_measured(scene: &mut Scene<'_>, kind: &Kind, objects: usize, watchers: usize, updates: usize) {
    figures_of(scene, "events to watchers", |scene| fan_out(scene, kind, objects, watchers, updates));
    let in_flight = std::mem::replace(&mut scene.clients.in_flight, 1);
    figures_of(scene, "events to watchers, one update at a time", |scene| {
        fan_out(scene, kind, objects, watchers, updates)
    });
    scene.clients.in_flight = in_flight;
}

fn figures_of(scene: &mut Scene<'_>, work: &str, run: impl FnOnce(&mut Scene<'_>) -> FanOut) {
    let fan_out = run(scene);
    scene.figures.measure(work, "rate", fan_out.late.len() as f64 / fan_out.time.as_secs_f64(), "/s");
    if let Some(each) = fan_out.microseconds_an_event() {
        scene.figures.measure(work, "CPU each", each, "µs");
    }
    if let Some(client) = fan_out.cost.client {
        let each = milliseconds(client) * 1e3 / fan_out.late.len().max(1) as f64;
        scene.figures.measure(work, "client's CPU", each, "µs");
    }
    fan_out.cost.profiled(scene.figures, work);
    latencies(scene.figures, work, fan_out.late);
}

/// Opens so many watches that see nothing, and reports the memory of each.
pub fn idle(scene: &mut Scene<'_>, kind: &Kind, watches: usize) {
    let Some(before) = scene.resident() else { return };
    let watch = watch_from_now(scene, kind);
    let (begin, mut open_watches, mut wires) = (Instant::now(), 0, Vec::new());
    while open_watches < watches {
        let mut wire = scene.connect();
        let share = wire.max_streams().min(ON_ONE_CONNECTION).min(watches - open_watches);
        open(&mut wire, &watch, share);
        open_watches += share;
        wires.push(wire);
    }
    let time = begin.elapsed();
    let Some(after) = scene.resident() else { return };
    let meter = Meter::start(scene.subject);
    std::thread::sleep(Duration::from_secs(1));
    let idle = meter.read();
    let work = "idle watches";
    scene.figures.measure(work, "rate", watches as f64 / time.as_secs_f64(), "/s");
    scene.figures.measure(work, "memory each", (after as f64 - before as f64) / 1e3 / watches as f64, "KB");
    if let Some(server) = idle.server {
        scene.figures.measure(work, "CPU of a second", milliseconds(server), "ms");
    }
}

/// The path of a watch of what will happen.
fn watch_from_now(scene: &mut Scene<'_>, kind: &Kind) -> String {
    let page = scene.clients.one().read(&format!("{}?limit=1", kind.all));
    format!("{}?watch=true&resourceVersion={}", kind.all, revision(&page))
}

/// Opens so many watches on a connection; returns when all were granted.
fn open(wire: &mut Wire, watch: &str, count: usize) {
    let request = Request { path: watch.to_owned(), ..Request::default() };
    for _ in 0..count {
        wire.submit(&request).unwrap_or_else(|error| panic!("{watch}: {error}"));
    }
    for _ in 0..count {
        match wire.next().unwrap_or_else(|error| panic!("{watch}: {error}")) {
            Incoming::Head { status: 200, end: false, .. } => {}
            other => panic!("{watch}: {other:?}"),
        }
    }
}

/// Reads the events of all watches on a connection, `count` in all; how late each was.
fn follow(wire: &mut Wire, count: usize, clock: Instant) -> Vec<Duration> {
    let mut late = Vec::with_capacity(count);
    // Of each stream, the part of an event whose rest has not come yet.
    let mut begun: HashMap<u32, Vec<u8>> = HashMap::new();
    while late.len() < count {
        match wire.next().unwrap_or_else(|error| panic!("{error}")) {
            Incoming::Data { stream, mut bytes, end: false } => {
                while let Some(end) = memchr(b'\n', bytes) {
                    let (event, rest) = bytes.split_at(end + 1);
                    bytes = rest;
                    let sent = match begun.get_mut(&stream).filter(|begun| !begun.is_empty()) {
                        Some(begun) => {
                            begun.extend_from_slice(event);
                            let sent = sent(begun);
                            begun.clear();
                            sent
                        }
                        None => sent(event),
                    };
                    late.push(clock.elapsed().saturating_sub(sent));
                }
                if !bytes.is_empty() {
                    begun.entry(stream).or_default().extend_from_slice(bytes);
                }
            }
            other => panic!("a watch has ended: {other:?}"),
        }
    }
    late
}

/// When the update was sent that an event tells of.
fn sent(event: &[u8]) -> Duration {
    let key = br#""at":""#;
    let at = memmem::find(event, key).map(|at| &event[at + key.len()..]);
    let digits = at.map(|at| at.iter().take_while(|byte| byte.is_ascii_digit()));
    let Some(digits) = digits else { panic!("not an update's event: {}", String::from_utf8_lossy(event)) };
    Duration::from_nanos(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

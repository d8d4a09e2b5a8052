//! What work costs as a kind has more and more objects: it should not matter to work on one of them.

use clap::Args;

use crate::figures::{Figures, milliseconds, quantile, shown};
use crate::kinds::{self, Kind};
use crate::load::Clients;
use crate::requests::objects;
use crate::requests::scene::Scene;
use crate::requests::watches;
use crate::subject::{Store, Target, section};

/// The first size; each next is ten times as large.
const FIRST: usize = 1000;

#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The most objects.
    #[arg(long, default_value_t = 1_000_000)]
    top: usize,
    /// About how large each is as it is served, in bytes.
    #[arg(long, default_value_t = 1600)]
    size: usize,
    /// Custom resources instead of ConfigMaps.
    #[arg(long)]
    custom: bool,
    /// How much is measured at each size.
    #[arg(long, default_value_t = 10_000)]
    requests: usize,
    /// Small numbers, in seconds: figures that mean nothing.
    #[arg(long)]
    quick: bool,
}

pub async fn run(options: &Options, target: &Target, store: Option<Store>, figures: &mut Figures) {
    let (first, top, requests) =
        if options.quick { (10, 100, 50) } else { (FIRST, options.top.max(FIRST), options.requests) };
    let (subject, _) = target.start(store);
    let scene = &mut Scene::new(&subject, subject.endpoint().await, options.quick, figures);
    kinds::define(&subject.connect().await).await;
    let kind = &if options.custom { Kind::loads(options.size) } else { Kind::config_maps(options.size) };
    scene.figures.section(format!("{}, growth", section(store)));
    // What the first requests to a process cost is not the rule.
    objects::create(&mut scene.clients, kind, 0..requests);
    objects::delete(&mut scene.clients, kind, 0..requests);
    let empty = scene.resident();
    let sizes: Vec<usize> =
        std::iter::successors(Some(first), |size| size.checked_mul(10)).take_while(|size| *size <= top).collect();
    let mut have = 0;
    for size in &sizes {
        // The last that are created are measured.
        let measured = requests.min(size / 2);
        objects::create(&mut scene.clients, kind, have..size - measured);
        let column = &shown(*size as f64, "");
        each(scene, "create, CPU each", column, measured, |clients| {
            drop(objects::create(clients, kind, size - measured..*size));
        });
        have = *size;
        at_size(scene, kind, column, *size, requests);
        if let (Some(empty), Some(now)) = (empty, scene.resident()) {
            let each = (now as f64 - empty as f64) / 1e3 / *size as f64;
            scene.figures.measure("resident memory, each object", column, each, "KB");
        }
    }
    let columns =
        sizes.first().zip(sizes.last()).map(|(first, last)| (shown(*first as f64, ""), shown(*last as f64, "")));
    let Some((first, last)) = columns else { return };
    for work in ["create, CPU each", "get, CPU each", "patch, CPU each", "event to ten watchers, CPU each"] {
        if let (Some(first), Some(last)) = (scene.figures.here(work, &first), scene.figures.here(work, &last)) {
            scene.figures.measure(work, "last of first", 100.0 * last / first, "%");
        }
    }
}

/// What is measured at each size.
fn at_size(scene: &mut Scene<'_>, kind: &Kind, column: &str, size: usize, requests: usize) {
    each(scene, "get, CPU each", column, requests, |clients| drop(objects::get(clients, kind, size, requests)));
    each(scene, "patch, CPU each", column, requests, |clients| drop(objects::patch(clients, kind, size, requests)));
    let fan_out = watches::fan_out(scene, kind, size, 10, requests);
    if let Some(cost) = fan_out.microseconds_an_event() {
        scene.figures.measure("event to ten watchers, CPU each", column, cost, "µs");
    }
    for (work, path, times) in [
        ("list by limit=500, p50", format!("{}?limit=500", kind.all), 20),
        ("list of all, p50", kind.all.clone(), if size > 100_000 { 3 } else { 10 }),
    ] {
        let mut times: Vec<_> = (0..times)
            .map(|_| {
                let begin = std::time::Instant::now();
                scene.clients.one().count(&path);
                begin.elapsed()
            })
            .collect();
        times.sort_unstable();
        if let Some(middle) = quantile(&times, 0.5) {
            scene.figures.measure(work, column, milliseconds(middle), "ms");
        }
    }
}

fn each(scene: &mut Scene<'_>, work: &str, column: &str, count: usize, run: impl FnOnce(&mut Clients)) {
    let meter = crate::subject::Meter::start(scene.subject);
    run(&mut scene.clients);
    if let Some(server) = meter.read().server {
        scene.figures.measure(work, column, milliseconds(server) / count.max(1) as f64, "ms");
    }
}

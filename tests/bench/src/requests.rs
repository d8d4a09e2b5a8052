//! Everything that clients ask of a server, one work after the other, on ConfigMaps and on custom resources: how many a
//! second, and what each costs.

mod apply;
mod mixed;
pub mod objects;
mod reads;
pub mod scene;
pub mod watches;

use clap::{Args, ValueEnum};

use crate::figures::{Figures, milliseconds, quantile};
use crate::kinds::{self, Kind};
use crate::subject::{Store, Target, section};
use scene::Scene;

#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How many objects of each kind.
    #[arg(long, default_value_t = 10_000)]
    objects: usize,
    /// About how large each is as it is served, in bytes.
    #[arg(long, default_value_t = 1600)]
    size: usize,
    /// How often a server is started on an empty store.
    #[arg(long, default_value_t = 20)]
    starts: usize,
    /// How often lists are asked for, one at a time.
    #[arg(long, default_value_t = 20)]
    lists: usize,
    /// How many watch, and how many updates each is told of.
    #[arg(long, default_value_t = 200)]
    watchers: usize,
    #[arg(long, default_value_t = 1000)]
    updates: usize,
    /// How many watches see nothing.
    #[arg(long, default_value_t = 10_000)]
    idle_watches: usize,
    /// How often a Deployment is applied.
    #[arg(long, default_value_t = 5000)]
    applies: usize,
    /// How often all objects are deleted and created before memory is looked at again.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Only these works, and the creation of what they work on.
    #[arg(long, value_delimiter = ',')]
    works: Vec<Work>,
    /// Small numbers, in seconds: figures that mean nothing, to see that all works work.
    #[arg(long)]
    quick: bool,
}

/// What can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// From the start of an empty server to its readiness.
    Start,
    /// The creates by the store alone.
    Raw,
    Get,
    /// With the revision that is replaced.
    Update,
    /// A merge patch.
    Patch,
    /// Of all, by page, by label.
    List,
    /// The same events for many.
    Watch,
    Mixed,
    /// Server-side.
    Apply,
    /// Watches that see nothing.
    Idle,
    /// Memory with all objects, and after they were deleted and created again and again.
    Memory,
    Delete,
}

impl Options {
    fn wants(&self, work: Work) -> bool {
        self.works.is_empty() || self.works.contains(&work)
    }

    fn quickened(&self) -> Self {
        if !self.quick {
            return self.clone();
        }
        let (objects, starts, lists, rounds) = (100, 1, 2, 1);
        let (watchers, updates, idle_watches, applies) = (8, 20, 120, 20);
        Self { objects, starts, lists, watchers, updates, idle_watches, applies, rounds, ..self.clone() }
    }
}

pub async fn run(options: &Options, target: &Target, store: Option<Store>, figures: &mut Figures) {
    let options = &options.quickened();
    let store_name = section(store);
    figures.section(&store_name);
    if options.wants(Work::Start) {
        start(options, target, store, figures);
    }
    let kinds = &[Kind::config_maps(options.size), Kind::loads(options.size)];
    if options.wants(Work::Memory) {
        memory(options, target, store, kinds, figures).await;
    }
    let (subject, _) = target.start(store);
    let scene = &mut Scene::new(&subject, subject.endpoint().await, options.quick, figures);
    kinds::define(&subject.connect().await).await;
    for kind in kinds {
        scene.figures.section(format!("{store_name}, {}", kind.name));
        works(options, scene, kind);
    }
    against_each_other(scene.figures, &store_name, kinds);
    scene.figures.section(&store_name);
    if options.wants(Work::Apply) {
        apply::measured(scene, options.applies);
    }
    if options.wants(Work::Idle) {
        watches::idle(scene, &kinds[0], options.idle_watches);
    }
    for kind in kinds.iter().filter(|_| options.wants(Work::Delete)) {
        scene.figures.section(format!("{store_name}, {}", kind.name));
        let count = options.objects;
        scene.measure("delete", count, |clients| objects::delete(clients, kind, 0..count));
    }
}

/// The memory of a server that does nothing else: empty, with the objects, and after these were deleted and created again and
/// again.
async fn memory(options: &Options, target: &Target, store: Option<Store>, kinds: &[Kind], figures: &mut Figures) {
    let (subject, _) = target.start(store);
    let scene = &mut Scene::new(&subject, subject.endpoint().await, options.quick, figures);
    scene.memory("ready");
    kinds::define(&subject.connect().await).await;
    let create = |scene: &mut Scene<'_>| {
        kinds.iter().for_each(|kind| drop(objects::create(&mut scene.clients, kind, 0..options.objects)));
    };
    let delete = |scene: &mut Scene<'_>| {
        kinds.iter().for_each(|kind| drop(objects::delete(&mut scene.clients, kind, 0..options.objects)));
    };
    create(scene);
    let before = scene.memory("with the objects of both kinds");
    for _ in 0..options.rounds {
        delete(scene);
        create(scene);
    }
    let when = format!("all deleted and created {} times", options.rounds);
    if let (Some(before), Some(after)) = (before, scene.memory(&when)) {
        let rounds = "resident memory after rounds of deletion and creation";
        scene.figures.measure(rounds, "of before", 100.0 * after as f64 / before as f64, "%");
    }
    // A server that is there is loaded by the other works next.
    delete(scene);
}

/// What is measured of each kind. All objects are there afterwards.
fn works(options: &Options, scene: &mut Scene<'_>, kind: &Kind) {
    let count = options.objects;
    let revisions = objects::create_measured(scene, kind, count);
    if options.wants(Work::Raw) {
        objects::raw(scene, kind, count);
    }
    if options.wants(Work::Get) {
        scene.measure("get", 3 * count, |clients| objects::get(clients, kind, count, 3 * count));
    }
    if options.wants(Work::Update) {
        scene.measure("update", count, |clients| objects::update(clients, kind, &revisions));
    }
    if options.wants(Work::Patch) {
        scene.measure("patch", count, |clients| objects::patch(clients, kind, count, count));
    }
    if options.wants(Work::List) {
        reads::lists(scene, kind, options.lists);
    }
    if options.wants(Work::Watch) {
        watches::fan_out_measured(scene, kind, count, options.watchers, options.updates);
    }
    if options.wants(Work::Mixed) {
        mixed::measured(scene, kind, count);
    }
}

fn start(options: &Options, target: &Target, store: Option<Store>, figures: &mut Figures) {
    let mut times = target.starts(store, options.starts);
    times.sort_unstable();
    for (part, words) in [(0.5, "p50"), (0.99, "p99")] {
        if let Some(time) = quantile(&times, part) {
            figures.measure("start to ready, empty store", words, milliseconds(time), "ms");
        }
    }
}

/// How much dearer each work on the second kind is than on the first.
fn against_each_other(figures: &mut Figures, store: &str, [first, second]: &[Kind; 2]) {
    let (first, second) = (format!("{store}, {}", first.name), format!("{store}, {}", second.name));
    figures.section(&second);
    for work in ["create", "get", "update"] {
        let cost = |section: &str| figures.get(section, work, "CPU each");
        if let (Some(one), Some(other)) = (cost(&first), cost(&second)) {
            figures.measure(work, "of ConfigMaps'", 100.0 * other / one, "%");
        }
    }
}

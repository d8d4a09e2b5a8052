//! Everything that clients ask of a server, one work after the other, on ConfigMaps and on custom resources: how many a
//! second, and what each costs.

mod objects;
mod reads;
mod scene;

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::figures::{Figures, milliseconds, quantile};
use crate::kinds::{self, Kind};
use crate::subject::{Store, Target};
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
    Start,
    Raw,
    Get,
    Update,
    Patch,
    List,
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
        Self { objects: 200, starts: 2, lists: 2, ..self.clone() }
    }
}

/// What a store, or a server that is there, is called in the figures.
pub fn name(store: Option<Store>) -> String {
    store.map_or_else(|| "given".to_owned(), |store| store.to_string())
}

pub async fn run(options: &Options, target: &Target, store: Option<Store>, figures: &mut Figures) {
    let options = options.quickened();
    figures.section(name(store));
    if options.wants(Work::Start) {
        start(&options, target, store, figures);
    }
    let (subject, _) = target.start(store);
    let connections = subject.connect().await;
    let mut scene = Scene::new(&options, &subject, &subject.endpoint().await, figures);
    scene.resident("ready");
    kinds::define(&connections).await;
    let all = [Kind::config_maps(options.size), Kind::loads(options.size)];
    for kind in &all {
        scene.figures.section(format!("{}, {}", name(store), kind.name));
        let revisions = objects::create(&mut scene, kind);
        objects::raw(&mut scene, kind);
        objects::get(&mut scene, kind);
        objects::update(&mut scene, kind, &revisions);
        objects::patch(&mut scene, kind);
        reads::lists(&mut scene, kind);
    }
    scene.figures.section(name(store));
    scene.resident("with the objects of both kinds");
    for kind in &all {
        scene.figures.section(format!("{}, {}", name(store), kind.name));
        objects::delete(&mut scene, kind);
    }
}

fn start(options: &Options, target: &Target, store: Option<Store>, figures: &mut Figures) {
    let mut times: Vec<Duration> = target.starts(store, options.starts);
    times.sort_unstable();
    for (part, words) in [(0.5, "p50"), (0.99, "p99")] {
        if let Some(time) = quantile(&times, part) {
            figures.measure("start to ready, empty store", words, milliseconds(time), "ms");
        }
    }
}

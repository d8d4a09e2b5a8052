//! What is to be reached, and what kube-apiserver needs for the same on two cores. This table is the one place that knows;
//! where a target is met, `held` is what was reached with some room, so that it cannot slip back.

use crate::figures::{Figures, shown, table};

/// A work and what it may cost, on each store.
struct Target {
    /// As tables call it.
    name: &'static str,
    /// kube-apiserver v1.36.2 with etcd 3.5.30, ConfigMaps; custom resources where they differ.
    upstream: &'static str,
    of: Of,
    /// Where the figure is, within its section.
    work: &'static str,
    measure: &'static str,
    unit: &'static str,
    embedded: Option<Limit>,
    etcd: Option<Limit>,
}

/// Which sections hold the figure.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    Store,
    BothKinds,
    /// Custom resources may cost that many times what ConfigMaps may.
    BothKindsBy(f64),
    CustomResources,
    Growth,
}

#[derive(Clone, Copy)]
struct Limit {
    wanted: f64,
    /// What was reached, if that is better.
    held: Option<f64>,
    least: bool,
}

const fn most(wanted: f64) -> Option<Limit> {
    Some(Limit { wanted, held: None, least: false })
}

const fn least(wanted: f64) -> Option<Limit> {
    Some(Limit { wanted, held: None, least: true })
}

/// The limit where less was reached.
const fn held(limit: Option<Limit>, reached: f64) -> Option<Limit> {
    match limit {
        Some(limit) => Some(Limit { held: Some(reached), ..limit }),
        None => None,
    }
}

impl Limit {
    /// Whether a figure does that may be `by` times the limit.
    fn holds(self, value: f64, by: f64) -> bool {
        let limit = by * self.held.unwrap_or(self.wanted);
        if self.least { value >= limit } else { value <= limit }
    }

    fn shown(self, unit: &str) -> String {
        let sign = if self.least { "≥" } else { "≤" };
        let held = self.held.map_or(String::new(), |held| format!(", held {}", shown(held, unit)));
        format!("{sign} {}{held}", shown(self.wanted, unit))
    }
}

#[rustfmt::skip]
const TARGETS: &[Target] = &[
    Target { name: "start to ready, empty store", upstream: "3.0 s", of: Of::Store,
        work: "start to ready, empty store", measure: "p50", unit: "ms", embedded: held(most(30.0), 27.0), etcd: held(most(60.0), 55.0) },
    Target { name: "resident memory, ready", upstream: "280 MB + etcd 44 MB", of: Of::Store,
        work: "resident memory, ready", measure: "memory", unit: "MB", embedded: held(most(25.0), 23.0), etcd: held(most(30.0), 25.0) },
    Target { name: "resident memory, 10,000 ConfigMaps and 10,000 custom resources", upstream: "1,190 MB", of: Of::Store,
        work: "resident memory, with the objects of both kinds", measure: "memory", unit: "MB", embedded: held(most(100.0), 85.0), etcd: held(most(100.0), 82.0) },
    Target { name: "the same, all deleted and created ten times, of before", upstream: "", of: Of::Store,
        work: "resident memory after rounds of deletion and creation", measure: "of before", unit: "%", embedded: most(120.0), etcd: most(120.0) },
    Target { name: "create, of the store alone", upstream: "12 %; 8 %", of: Of::BothKinds,
        work: "create", measure: "of raw", unit: "%", embedded: least(50.0), etcd: least(60.0) },
    Target { name: "create, rate", upstream: "979/s; 630/s", of: Of::BothKinds,
        work: "create", measure: "rate", unit: "/s", embedded: least(15_000.0), etcd: None },
    Target { name: "create, CPU each", upstream: "1.41 ms; 2.20 ms", of: Of::BothKindsBy(1.5),
        work: "create", measure: "CPU each", unit: "ms", embedded: held(most(0.12), 0.095), etcd: most(0.12) },
    Target { name: "get, CPU each", upstream: "0.68 ms; 1.00 ms", of: Of::BothKindsBy(1.5),
        work: "get", measure: "CPU each", unit: "ms", embedded: held(most(0.03), 0.02), etcd: most(0.03) },
    Target { name: "update, CPU each", upstream: "1.69 ms; 3.16 ms", of: Of::BothKindsBy(1.5),
        work: "update", measure: "CPU each", unit: "ms", embedded: held(most(0.15), 0.115), etcd: held(most(0.15), 0.145) },
    Target { name: "create, CPU, custom resources of ConfigMaps'", upstream: "156 %", of: Of::CustomResources,
        work: "create", measure: "of ConfigMaps'", unit: "%", embedded: most(150.0), etcd: most(150.0) },
    Target { name: "get, CPU, custom resources of ConfigMaps'", upstream: "147 %", of: Of::CustomResources,
        work: "get", measure: "of ConfigMaps'", unit: "%", embedded: most(150.0), etcd: most(150.0) },
    Target { name: "update, CPU, custom resources of ConfigMaps'", upstream: "187 %", of: Of::CustomResources,
        work: "update", measure: "of ConfigMaps'", unit: "%", embedded: most(150.0), etcd: most(150.0) },
    Target { name: "list of all 10,000", upstream: "323 ms; 603 ms", of: Of::BothKinds,
        work: "list of all", measure: "p50", unit: "ms", embedded: most(15.0), etcd: most(15.0) },
    Target { name: "list by limit=500", upstream: "19 ms; 60 ms", of: Of::BothKinds,
        work: "list by limit=500", measure: "p50", unit: "ms", embedded: most(1.0), etcd: most(1.0) },
    Target { name: "list by label, 1,000 of 10,000", upstream: "47 ms; 81 ms", of: Of::BothKinds,
        work: "list by label, a tenth", measure: "p50", unit: "ms", embedded: most(2.5), etcd: most(2.5) },
    Target { name: "200 watchers × 1,000 updates, CPU an event", upstream: "24 µs; 33 µs", of: Of::BothKinds,
        work: "events to watchers", measure: "CPU each", unit: "µs", embedded: most(1.5), etcd: most(1.5) },
    Target { name: "200 watchers × 1,000 updates, p50 lateness", upstream: "69 ms; 62 ms", of: Of::BothKinds,
        work: "events to watchers, one update at a time", measure: "p50", unit: "ms", embedded: held(most(5.0), 3.0), etcd: held(most(5.0), 3.0) },
    Target { name: "10,000 idle watches, each", upstream: "", of: Of::Store,
        work: "idle watches", measure: "memory each", unit: "KB", embedded: held(most(10.0), 4.5), etcd: held(most(10.0), 4.0) },
    Target { name: "apply, unchanged, CPU each", upstream: "", of: Of::Store,
        work: "apply, unchanged", measure: "CPU each", unit: "ms", embedded: held(most(0.3), 0.22), etcd: most(0.3) },
    Target { name: "apply, one field, CPU each", upstream: "", of: Of::Store,
        work: "apply, one field", measure: "CPU each", unit: "ms", embedded: most(0.5), etcd: most(0.5) },
    Target { name: "create at 1,000,000, CPU, of at 1,000", upstream: "", of: Of::Growth,
        work: "create, CPU each", measure: "last of first", unit: "%", embedded: most(125.0), etcd: None },
    Target { name: "get at 1,000,000, CPU, of at 1,000", upstream: "", of: Of::Growth,
        work: "get, CPU each", measure: "last of first", unit: "%", embedded: most(125.0), etcd: None },
    Target { name: "event to watchers at 1,000,000, CPU, of at 1,000", upstream: "", of: Of::Growth,
        work: "event to ten watchers, CPU each", measure: "last of first", unit: "%", embedded: most(125.0), etcd: None },
];

impl Target {
    fn limit(&self, store: &str) -> Option<Limit> {
        if store == "embedded" { self.embedded } else { self.etcd }
    }

    /// The figures on a store.
    fn values(&self, store: &str, figures: &Figures) -> Vec<Option<f64>> {
        let sections: &[&str] = match self.of {
            Of::Store => &[""],
            Of::BothKinds | Of::BothKindsBy(_) => &[", ConfigMaps", ", custom resources"],
            Of::CustomResources => &[", custom resources"],
            Of::Growth => &[", growth"],
        };
        let value = |section: &&str| figures.get(&format!("{store}{section}"), self.work, self.measure);
        sections.iter().map(value).collect()
    }

    /// The same, each with whether it holds.
    fn judged(&self, store: &str, limit: Limit, figures: &Figures) -> Vec<Option<(f64, bool)>> {
        let custom = if let Of::BothKindsBy(factor) = self.of { factor } else { 1.0 };
        let values = self.values(store, figures).into_iter().zip([1.0, custom]);
        values.map(|(value, by)| value.map(|value| (value, limit.holds(value, by)))).collect()
    }
}

/// The stores that have targets.
const STORES: [&str; 2] = ["embedded", "etcd"];

/// The table of targets and figures; of two figures the second is that of custom resources, which for CPU times of single
/// requests may be half as much again. A figure that misses is in bold.
pub fn met(figures: &Figures) -> String {
    let head = ["target", "kube-apiserver", "wanted, embedded", "measured", "wanted, on etcd", "measured"];
    let rows: Vec<Vec<String>> = TARGETS
        .iter()
        .map(|target| {
            let cells = STORES.iter().flat_map(|store| match target.limit(store) {
                None => [String::new(), String::new()],
                Some(limit) => {
                    let cells = target.judged(store, limit, figures).into_iter().map(|value| match value {
                        None => "–".to_owned(),
                        Some((value, true)) => shown(value, target.unit),
                        Some((value, false)) => format!("**{}**", shown(value, target.unit)),
                    });
                    [limit.shown(target.unit), cells.collect::<Vec<_>>().join("; ")]
                }
            });
            [target.name.to_owned(), target.upstream.to_owned()].into_iter().chain(cells).collect()
        })
        .collect();
    table(&head.map(str::to_owned), &rows)
}

/// How many targets have a figure that holds, a figure that does not, and none.
pub fn tally(figures: &Figures) -> (usize, usize, usize) {
    let (mut held, mut missed, mut unknown) = (0, 0, 0);
    for (target, store) in TARGETS.iter().flat_map(|target| STORES.map(|store| (target, store))) {
        let Some(limit) = target.limit(store) else { continue };
        for value in target.judged(store, limit, figures) {
            match value {
                Some((_, true)) => held += 1,
                Some((_, false)) => missed += 1,
                None => unknown += 1,
            }
        }
    }
    (held, missed, unknown)
}

/// The table for those who want to know it in short: nothing of targets, and no ratios between kinds.
pub fn short(figures: &Figures) -> String {
    let head = ["ConfigMaps; custom resources", "kube-apiserver on etcd", "embedded", "on etcd"];
    let rows: Vec<Vec<String>> = TARGETS
        .iter()
        .filter(|target| !matches!(target.of, Of::CustomResources | Of::Growth) && !target.upstream.is_empty())
        .map(|target| {
            let values = STORES.iter().map(|store| {
                let values = target.values(store, figures).into_iter();
                let values = values.flatten().map(|value| shown(value, target.unit));
                values.collect::<Vec<_>>().join("; ")
            });
            [target.name.to_owned(), target.upstream.to_owned()].into_iter().chain(values).collect()
        })
        .collect();
    table(&head.map(str::to_owned), &rows)
}

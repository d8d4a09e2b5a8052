//! What was measured: a table for people, JSON for programs.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// Named figures in the order in which they were taken.
#[derive(Default)]
pub struct Figures(Vec<Figure>);

struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
}

impl Figures {
    /// Adds a figure.
    pub fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        let figure = Figure { name: name.into(), value, unit };
        // A load takes minutes: who waits sees how far it is.
        eprintln!("{figure}");
        self.0.push(figure);
    }

    /// A time, in milliseconds.
    pub fn time(&mut self, name: impl Into<String>, time: Duration) {
        self.add(name, milliseconds(time), "ms");
    }

    /// Bytes, in MB (of 1,000,000).
    pub fn megabytes(&mut self, name: impl Into<String>, bytes: u64) {
        self.add(name, bytes as f64 / 1e6, "MB");
    }

    /// Bytes, in KiB.
    pub fn kibibytes(&mut self, name: impl Into<String>, bytes: f64) {
        self.add(name, bytes / 1024.0, "KiB");
    }

    /// The middle and the tail of many times.
    pub fn times(&mut self, name: &str, mut times: Vec<Duration>) {
        times.sort_unstable();
        for (quantile, words) in [(0.5, "median"), (0.99, "99th percentile"), (1.0, "longest")] {
            let at = ((times.len() as f64 * quantile).ceil() as usize).clamp(1, times.len().max(1)) - 1;
            if let Some(time) = times.get(at) {
                self.time(format!("{name}, {words}"), *time);
            }
        }
    }

    /// All of them as one JSON object: `{"<name>": {"value": 1.0, "unit": "ms"}}`.
    pub fn json(&self) -> String {
        let all: Map<String, Value> = self
            .0
            .iter()
            .map(|figure| (figure.name.clone(), json!({"value": figure.value, "unit": figure.unit})))
            .collect();
        format!("{:#}\n", Value::Object(all))
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = if self.unit.is_empty() || self.value.abs() >= 1000.0 { 0 } else { 2 };
        write!(f, "| {:<70} | {:>12.decimals$} {:<4} |", self.name, self.value, self.unit)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|figure| writeln!(f, "{figure}"))
    }
}

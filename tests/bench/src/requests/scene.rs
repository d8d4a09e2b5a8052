//! The server under load with the connections to it, and how a work is measured.

use std::time::Duration;

use tests::connection::Endpoint;

use super::Options;
use crate::figures::{Figures, milliseconds, quantile};
use crate::load::{Clients, Took};
use crate::subject::{Meter, Subject};

/// What every work needs.
pub struct Scene<'a> {
    pub options: &'a Options,
    pub subject: &'a Subject,
    pub clients: Clients,
    pub figures: &'a mut Figures,
}

impl<'a> Scene<'a> {
    pub fn new(options: &'a Options, subject: &'a Subject, endpoint: &Endpoint, figures: &'a mut Figures) -> Self {
        let clients = subject.clients(endpoint);
        Self { options, subject, clients, figures }
    }

    /// Measures a work that sends `count` requests: how many a second, what each cost, how long each took.
    pub fn measure(&mut self, work: &str, count: usize, run: impl FnOnce(&mut Clients) -> Took) {
        let meter = Meter::start(self.subject);
        let took = run(&mut self.clients);
        let cost = meter.read();
        self.figures.measure(work, "rate", count as f64 / took.time.as_secs_f64(), "/s");
        cost.each(self.figures, work, count);
        latencies(self.figures, work, took.each);
    }

    /// Measures something that is done so many times, one at a time.
    pub fn one_at_a_time(&mut self, work: &str, times: usize, mut run: impl FnMut(&mut Clients)) {
        // The first is slower than those after it: memory is new to both sides.
        run(&mut self.clients);
        let meter = Meter::start(self.subject);
        let mut each = Vec::with_capacity(times);
        for _ in 0..times {
            let begin = std::time::Instant::now();
            run(&mut self.clients);
            each.push(begin.elapsed());
        }
        meter.read().each(self.figures, work, times);
        latencies(self.figures, work, each);
    }

    /// The server's resident memory, once it has come to rest.
    pub fn resident(&mut self, when: &str) -> Option<u64> {
        let (pause, most) = (Duration::from_millis(if self.options.quick { 20 } else { 500 }), 20);
        let mut before = self.subject.usage()?.resident;
        // An allocator gives back what is free a little later.
        for _ in 0..most {
            std::thread::sleep(pause);
            let now = self.subject.usage()?.resident;
            if now.abs_diff(before) < before / 200 {
                break;
            }
            before = now;
        }
        let resident = self.subject.usage()?.resident;
        self.figures.measure(format!("resident memory, {when}"), "memory", resident as f64 / 1e6, "MB");
        Some(resident)
    }
}

/// The middle and the tail.
pub fn latencies(figures: &mut Figures, work: &str, mut each: Vec<Duration>) {
    each.sort_unstable();
    for (part, measure) in [(0.5, "p50"), (0.99, "p99")] {
        if let Some(time) = quantile(&each, part) {
            figures.measure(work, measure, milliseconds(time), "ms");
        }
    }
}

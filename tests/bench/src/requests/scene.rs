//! The server under load with the connections to it, and how a work is measured.

use std::time::{Duration, Instant};

use tests::connection::Endpoint;

use crate::figures::{Figures, milliseconds, quantile};
use crate::load::{Clients, Took};
use crate::subject::{Cost, Meter, Subject};
use crate::wire::Wire;

/// What every work needs.
pub struct Scene<'a> {
    pub subject: &'a Subject,
    pub clients: Clients,
    pub figures: &'a mut Figures,
    endpoint: Endpoint,
    /// Between two looks at memory.
    pause: Duration,
}

impl<'a> Scene<'a> {
    pub fn new(subject: &'a Subject, endpoint: Endpoint, quick: bool, figures: &'a mut Figures) -> Self {
        let clients = subject.clients(&endpoint);
        let pause = Duration::from_millis(if quick { 10 } else { 500 });
        Self { subject, clients, figures, endpoint, pause }
    }

    /// A connection more.
    pub fn connect(&self) -> Wire {
        Wire::open(&self.endpoint).expect("a connection")
    }

    /// What a work took, and what it cost.
    pub fn cost(&mut self, run: impl FnOnce(&mut Clients) -> Took) -> (Took, Cost) {
        let meter = Meter::start(self.subject);
        let took = run(&mut self.clients);
        (took, meter.read())
    }

    /// Measures a work that sends `count` requests: how many a second, what each cost, how long each took.
    pub fn measure(&mut self, work: &str, count: usize, run: impl FnOnce(&mut Clients) -> Took) {
        let (took, cost) = self.cost(run);
        self.figures.measure(work, "rate", took.rate(), "/s");
        cost.each(self.figures, work, count);
        latencies(self.figures, work, took.each);
    }

    /// Measures something that is done so many times, one at a time.
    pub fn one_at_a_time(&mut self, work: &str, times: usize, mut run: impl FnMut(&mut Clients)) {
        // The first is slower than those after it: memory is new to both sides.
        run(&mut self.clients);
        let (took, cost) = self.cost(|clients| {
            let begin = Instant::now();
            let each = (0..times).map(|_| {
                let begin = Instant::now();
                run(clients);
                begin.elapsed()
            });
            Took { each: each.collect(), time: begin.elapsed() }
        });
        cost.each(self.figures, work, times);
        latencies(self.figures, work, took.each);
    }

    /// The server's resident memory in bytes, once it has come to rest.
    pub fn resident(&self) -> Option<u64> {
        let mut before = self.subject.usage()?.resident;
        // An allocator gives back what is free a little later.
        for _ in 0..20 {
            std::thread::sleep(self.pause);
            let now = self.subject.usage()?.resident;
            if now.abs_diff(before) < before / 200 {
                break;
            }
            before = now;
        }
        Some(self.subject.usage()?.resident)
    }

    /// The same as a figure.
    pub fn memory(&mut self, when: &str) -> Option<u64> {
        let resident = self.resident()?;
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

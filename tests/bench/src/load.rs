//! A closed loop: so many requests in flight over so many connections, each answered one followed by the next.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tests::connection::Endpoint;

use crate::wire::{Incoming, Request, Wire};

/// Open connections, used by one work after the other.
pub struct Clients {
    wires: Vec<Wire>,
    /// Requests in flight over all of them.
    pub in_flight: usize,
}

/// What a work took.
pub struct Took {
    pub time: Duration,
    /// Of each request, from its sending to the end of its answer, unordered.
    pub each: Vec<Duration>,
}

impl Took {
    /// So many a second.
    pub fn rate(&self) -> f64 {
        self.each.len() as f64 / self.time.as_secs_f64()
    }
}

/// One request in flight.
struct Flight {
    stream: u32,
    number: usize,
    sent: Instant,
    status: u16,
    /// The answer's body, where it is looked at.
    body: Vec<u8>,
}

impl Clients {
    /// Over TLS, as the user of a kubeconfig.
    pub fn open(endpoint: &Endpoint, connections: usize, in_flight: usize) -> Self {
        Self::of(connections, in_flight, || Wire::open(endpoint).expect("a connection"))
    }

    /// To a server of gRPC, without TLS.
    pub fn open_grpc(address: &str, connections: usize, in_flight: usize) -> Self {
        Self::of(connections, in_flight, || Wire::open_grpc(address).expect("a connection"))
    }

    fn of(connections: usize, in_flight: usize, open: impl Fn() -> Wire) -> Self {
        let wires: Vec<Wire> = (0..connections.max(1)).map(|_| open()).collect();
        let most = wires.iter().map(Wire::max_streams).min().unwrap_or(0);
        assert!(
            in_flight.div_ceil(wires.len()) <= most,
            "{in_flight} requests in flight need more than {connections} connections: each serves {most}"
        );
        Self { wires, in_flight: in_flight.max(1) }
    }

    /// The first of the connections, for requests one at a time.
    pub fn one(&mut self) -> &mut Wire {
        &mut self.wires[0]
    }

    /// Sends `count` requests: `make` fills in that of a number. Fails on the first that is refused.
    pub fn run(&mut self, count: usize, make: impl Fn(usize, &mut Request) + Sync) -> Took {
        self.send(count, &make, None)
    }

    /// The same, and shows `answered` the number and the body of each answer.
    pub fn run_with(
        &mut self,
        count: usize,
        make: impl Fn(usize, &mut Request) + Sync,
        answered: impl Fn(usize, &[u8]) + Sync,
    ) -> Took {
        self.send(count, &make, Some(&answered))
    }

    fn send(&mut self, count: usize, make: &Make<'_>, answered: Option<&Answered<'_>>) -> Took {
        let (next, begin) = (&AtomicUsize::new(0), Instant::now());
        let wires = self.wires.len();
        let in_flight = self.in_flight;
        let each = std::thread::scope(|scope| {
            let share = |at: usize| in_flight / wires + usize::from(at < in_flight % wires);
            let threads: Vec<_> = self
                .wires
                .iter_mut()
                .enumerate()
                .filter(|(at, _)| share(*at) > 0)
                .map(|(at, wire)| {
                    let numbers = move || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < count);
                    scope.spawn(move || drive(wire, share(at), numbers, make, answered))
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("the load goes on")).collect()
        });
        Took { time: begin.elapsed(), each }
    }
}

type Make<'a> = dyn Fn(usize, &mut Request) + Sync + 'a;
type Answered<'a> = dyn Fn(usize, &[u8]) + Sync + 'a;

/// Keeps `most` requests in flight on one connection until there are no more numbers.
fn drive(
    wire: &mut Wire,
    most: usize,
    numbers: impl Fn() -> Option<usize>,
    make: &Make<'_>,
    answered: Option<&Answered<'_>>,
) -> Vec<Duration> {
    let mut each = Vec::new();
    let mut request = Request::default();
    let mut flights: Vec<Flight> = Vec::with_capacity(most);
    let mut spare: Vec<Vec<u8>> = Vec::new();
    let mut prepared: Option<usize> = None;
    loop {
        while flights.len() < most {
            if prepared.is_none() {
                prepared = numbers();
                match prepared {
                    Some(number) => make(number, &mut request),
                    None => break,
                }
            }
            if !wire.has_room(request.body.len()) && !flights.is_empty() {
                break;
            }
            let stream = wire.submit(&request).unwrap_or_else(|error| panic!("{}: {error}", request.path));
            let number = prepared.take().unwrap_or_default();
            let body = spare.pop().unwrap_or_default();
            flights.push(Flight { stream, number, sent: Instant::now(), status: 0, body });
        }
        if flights.is_empty() {
            return each;
        }
        // What has come already is answered together: one write for many requests, as busy clients do.
        loop {
            if let Some(mut flight) = advance(wire, &mut flights, answered.is_some()) {
                each.push(flight.sent.elapsed());
                if let Some(answered) = answered {
                    answered(flight.number, &flight.body);
                }
                flight.body.clear();
                spare.push(flight.body);
            }
            if !wire.has_next() {
                break;
            }
        }
    }
}

/// Takes the next part of an answer; the request whose answer is complete with it.
fn advance(wire: &mut Wire, flights: &mut Vec<Flight>, keep: bool) -> Option<Flight> {
    let (stream, end) = match wire.next().unwrap_or_else(|error| panic!("{error}")) {
        Incoming::Head { stream, status, end } => {
            let flight = flights.iter_mut().find(|flight| flight.stream == stream)?;
            // Trailers have none.
            flight.status = if status == 0 { flight.status } else { status };
            (stream, end)
        }
        Incoming::Data { stream, bytes, end } => {
            let flight = flights.iter_mut().find(|flight| flight.stream == stream)?;
            if keep || !granted(flight.status) {
                flight.body.extend_from_slice(bytes);
            }
            (stream, end)
        }
    };
    if !end {
        return None;
    }
    let at = flights.iter().position(|flight| flight.stream == stream)?;
    let flight = flights.swap_remove(at);
    let body = || String::from_utf8_lossy(&flight.body).into_owned();
    assert!(granted(flight.status), "request {} is refused with {}: {}", flight.number, flight.status, body());
    Some(flight)
}

fn granted(status: u16) -> bool {
    (200..300).contains(&status)
}

impl Wire {
    /// Sends one request and waits for its whole answer, which is counted, not kept: its bytes.
    pub fn count(&mut self, path: &str) -> usize {
        let mut bytes = 0;
        self.get(path, |data| bytes += data.len());
        bytes
    }

    /// Sends one request and waits for its whole answer.
    pub fn read(&mut self, path: &str) -> Vec<u8> {
        let mut body = Vec::new();
        self.get(path, |data| body.extend_from_slice(data));
        body
    }

    fn get(&mut self, path: &str, mut data: impl FnMut(&[u8])) {
        let request = Request { path: path.to_owned(), ..Request::default() };
        self.submit(&request).unwrap_or_else(|error| panic!("{path}: {error}"));
        loop {
            let end = match self.next().unwrap_or_else(|error| panic!("{path}: {error}")) {
                Incoming::Head { status, end, .. } => {
                    assert!(granted(status) || status == 0, "{path}: {status}");
                    end
                }
                Incoming::Data { bytes, end, .. } => {
                    data(bytes);
                    end
                }
            };
            if end {
                return;
            }
        }
    }
}

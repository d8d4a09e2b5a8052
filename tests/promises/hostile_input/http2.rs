//! Frames of HTTP/2 that no client sends.

use std::time::Duration;

use tests::raw::{Protocol, Raw, Who};
use tests::{ControlPlane, Part, Store, eventually};

use super::{Attacked, MAPS};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Headers as HPACK writes them without a table and without Huffman's code; texts below 16 KiB.
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let mut out = Vec::new();
        match u8::try_from(text.len()) {
            Ok(short @ 0..127) => out.push(short),
            _ => {
                let mut rest = text.len() - 127;
                out.push(127);
                while rest >= 128 {
                    out.push(u8::try_from(rest % 128).unwrap() + 128);
                    rest /= 128;
                }
                out.push(u8::try_from(rest).unwrap());
            }
        }
        out.extend_from_slice(text.as_bytes());
        out
    };
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

fn get(stream: u32, path: &str) -> Vec<u8> {
    let block = fields(&[(":method", "GET"), (":scheme", "https"), (":authority", "server"), (":path", path)]);
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block)
}

/// A connection that has greeted, with these settings.
fn greet(plane: &ControlPlane, settings: &[u8]) -> Raw {
    let mut raw = Raw::open(plane, Who::Admin, Protocol::Http2);
    raw.send(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, settings)].concat()).unwrap();
    raw
}

/// The frames of a connection as they come.
struct Frames {
    raw: Raw,
    read: Vec<u8>,
}

impl Frames {
    fn new(raw: Raw) -> Self {
        Self { raw, read: Vec::new() }
    }

    /// Kind, stream and payload of the next one; `None` at the end.
    fn next(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        loop {
            if let Some(head) = self.read.get(..9) {
                let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
                let (kind, flags, stream) =
                    (head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
                if self.read.len() >= 9 + length {
                    let payload = self.read[9..9 + length].to_vec();
                    self.read.drain(..9 + length);
                    if (kind, flags) == (PING, 0) {
                        // Who does not answer is taken for gone.
                        let _ = self.raw.send(&frame(PING, 1, 0, &payload));
                    }
                    return Some((kind, stream, payload));
                }
            }
            let more = self.raw.read();
            if more.is_empty() {
                return None;
            }
            self.read.extend_from_slice(&more);
        }
    }

    /// The first frame of this kind; `None` if the connection ends without one.
    fn find(&mut self, kind: u8) -> Option<(u32, Vec<u8>)> {
        loop {
            let (found, stream, payload) = self.next()?;
            if found == kind {
                return Some((stream, payload));
            }
        }
    }
}

/// Sends until the server has closed the connection, at most so many times; whether it has.
fn flood(raw: &mut Raw, times: u32, mut frames: impl FnMut(u32) -> Vec<u8>) -> bool {
    (0..times).any(|at| raw.send(&frames(at)).is_err())
}

#[test]
fn frames_that_never_end_or_undo_each_other_end_the_connection_or_are_answered() {
    let mut attacked = Attacked::new(ControlPlane::start(Part::ApiServer, Store::Embedded));
    let plane = &attacked.plane;
    // The most streams at once is upstream's, and a request is served.
    let mut frames = Frames::new(greet(plane, &[]));
    let (_, settings) = frames.find(SETTINGS).unwrap();
    assert!(settings.chunks(6).any(|setting| setting == [0, 3, 0, 0, 0, 100]), "{settings:?}");
    frames.raw.send(&get(1, "/readyz")).unwrap();
    assert_eq!(frames.find(DATA).unwrap(), (1, b"ok".to_vec()));

    // Headers that go on and on: they never end, so there is nothing to answer.
    let mut raw = greet(plane, &[]);
    raw.send(&frame(HEADERS, 0, 1, &fields(&[(":method", "GET")]))).unwrap();
    let more = frame(CONTINUATION, 0, 1, &fields(&[("x", &"y".repeat(16_000))]));
    assert!(flood(&mut raw, 100_000, |_| more.clone()), "headers without an end are read for ever");

    // More headers than there is room for: 431.
    let mut frames = Frames::new(greet(plane, &[]));
    let block = fields(&[(":method", "GET"), (":scheme", "https"), (":authority", "server"), (":path", "/readyz")]);
    let mut all = frame(HEADERS, END_STREAM, 1, &block);
    for _ in 0..69 {
        all.extend(frame(CONTINUATION, 0, 1, &fields(&[("x", &"y".repeat(16_000))])));
    }
    all.extend(frame(CONTINUATION, END_HEADERS, 1, &fields(&[("x", "y")])));
    let sent = frames.raw.send(&all);
    // `:status 431` begins the answer, with the name from the table and the value as text or in Huffman's code.
    if sent.is_ok()
        && let Some((_, answer)) = frames.find(HEADERS)
    {
        let status = [&b"\x03431"[..], &[0x82, 0x68, 0x1f]];
        assert!(status.iter().any(|status| answer.get(1..).is_some_and(|rest| rest.starts_with(status))), "{answer:?}");
    }

    // Streams that are reset as soon as they are opened.
    let mut raw = greet(plane, &[]);
    let cancel = 8_u32.to_be_bytes();
    flood(&mut raw, 20_000, |at| [get(2 * at + 1, MAPS), frame(RST_STREAM, 0, 2 * at + 1, &cancel)].concat());
    // Settings and pings whose answers are not read.
    for (kind, payload) in [(SETTINGS, &[0, 4, 0, 0, 255, 255][..]), (PING, &[0; 8])] {
        let mut raw = greet(plane, &[]);
        let many = frame(kind, 0, 0, payload).repeat(1000);
        // Answers that nobody reads fill the sockets, and then the server reads no more.
        raw.write_no_longer_than(Duration::from_secs(1));
        flood(&mut raw, 2000, |_| many.clone());
    }
    // Windows opened too far, and frames that are none.
    for wrong in [
        frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes()),
        frame(WINDOW_UPDATE, 0, 0, &0_u32.to_be_bytes()),
        frame(SETTINGS, 0, 0, &[1, 2, 3]),
        frame(PING, 0, 0, &[1]),
        frame(DATA, 0, 0, b"x"),
        frame(CONTINUATION, END_HEADERS, 1, &[]),
        frame(HEADERS, END_HEADERS, 2, &[]),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0x80]),
        vec![0xff; 64],
    ] {
        let mut frames = Frames::new(greet(plane, &[]));
        let _ = frames.raw.send(&wrong);
        let answer = frames.find(GO_AWAY);
        assert!(answer.is_some(), "{wrong:?} is no error");
    }
    attacked.is_well("floods of frames");
}

#[test]
fn a_window_that_is_never_opened_holds_no_answer_for_ever() {
    let flags = ["--request-timeout", "5s"];
    let mut attacked = Attacked::new(ControlPlane::start_with(Part::ApiServer, Store::Embedded, &flags));
    let plane = &attacked.plane;
    super::slow::fill(plane);
    // INITIAL_WINDOW_SIZE 0.
    let mut frames = Frames::new(greet(plane, &[0, 4, 0, 0, 0, 0]));
    for at in 0..50 {
        frames.raw.send(&get(2 * at + 1, MAPS)).unwrap();
    }
    let (mut begun, mut taken_back) = (0, 0);
    while taken_back < 50 {
        match frames.next().expect("the connection goes on") {
            (HEADERS, _, _) => begun += 1,
            (RST_STREAM, _, _) => taken_back += 1,
            (DATA, _, payload) => assert!(payload.is_empty(), "data without a window"),
            _ => {}
        }
    }
    assert_eq!(begun, 50, "every list was answered");
    // The connection itself is well.
    frames.raw.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255])).unwrap();
    frames.raw.send(&get(1001, "/readyz")).unwrap();
    eventually("the connection serves on", || match frames.find(DATA) {
        Some((1001, body)) if body == b"ok" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    attacked.is_well("windows that stay shut");
}

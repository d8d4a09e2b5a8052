//! Frames of HTTP/2 (RFC 9113) and the little of HPACK (RFC 7541) that is needed when no table is kept.

use std::io;
use std::ops::Range;

use super::Method;

/// Bytes before each frame's payload.
pub const HEADER: usize = 9;

pub mod flags {
    pub const END_STREAM: u8 = 0x1;
    pub const ACK: u8 = 0x1;
    pub const END_HEADERS: u8 = 0x4;
    pub const PADDED: u8 = 0x8;
    pub const PRIORITY: u8 = 0x20;
}

/// Settings.
const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
pub const MAX_CONCURRENT_STREAMS: u16 = 3;
pub const INITIAL_WINDOW_SIZE: u16 = 4;

/// Names and whole fields by their place in the static table; whole fields have the high bit set.
pub const AUTHORITY: u8 = 1;
pub const PATH: u8 = 4;
pub const AUTHORIZATION: u8 = 23;
pub const CONTENT_LENGTH: u8 = 28;
pub const CONTENT_TYPE: u8 = 31;
pub const HTTP: u8 = 0x80 | 6;
pub const HTTPS: u8 = 0x80 | 7;
const METHOD: u8 = 2;
const GET: u8 = 0x80 | 2;
const POST: u8 = 0x80 | 3;
/// `:status` has these places, with these values.
const STATUS: Range<u8> = 8..15;
const STATUSES: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Data,
    Headers,
    Reset,
    Settings,
    Ping,
    GoAway,
    WindowUpdate,
    Other,
}

impl Kind {
    fn of(code: u8) -> Self {
        match code {
            0 => Self::Data,
            1 => Self::Headers,
            3 => Self::Reset,
            4 => Self::Settings,
            6 => Self::Ping,
            7 => Self::GoAway,
            8 => Self::WindowUpdate,
            _ => Self::Other,
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Headers => 1,
            Self::Reset => 3,
            Self::Settings => 4,
            Self::Ping => 6,
            Self::GoAway => 7,
            Self::WindowUpdate => 8,
            Self::Other => 0xff,
        }
    }
}

/// A frame, by its place in the bytes that came.
#[derive(Debug)]
pub struct Frame {
    pub kind: Kind,
    pub flags: u8,
    pub stream: u32,
    /// As flow control counts it: with padding.
    pub length: u32,
    /// Without padding and priority.
    pub payload: Range<usize>,
    /// Where the next one begins.
    pub end: usize,
}

/// The length of the first frame with its header, if all of it is there.
pub fn whole(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes([0, *bytes.first()?, *bytes.get(1)?, *bytes.get(2)?]) as usize + HEADER;
    (bytes.len() >= length).then_some(length)
}

impl Frame {
    /// The first frame of `bytes[unread]`, if all of it is there.
    pub fn read(bytes: &[u8], unread: Range<usize>) -> io::Result<Option<Self>> {
        let start = unread.start;
        let Some(length) = whole(&bytes[unread]) else { return Ok(None) };
        let head = &bytes[start..start + HEADER];
        let (kind, flags, end) = (Kind::of(head[3]), head[4], start + length);
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        let mut payload = start + HEADER..end;
        if matches!(kind, Kind::Data | Kind::Headers) {
            if flags & flags::PADDED != 0 {
                payload.end -= usize::from(*bytes.get(payload.start).unwrap_or(&0));
                payload.start += 1;
            }
            if kind == Kind::Headers && flags & flags::PRIORITY != 0 {
                payload.start += 5;
            }
            if payload.start > payload.end {
                return Err(io::Error::other("a frame with more padding than it is long"));
            }
        }
        Ok(Some(Self { kind, flags, stream, length: (length - HEADER) as u32, payload, end }))
    }
}

/// A frame's header.
pub fn header(to: &mut Vec<u8>, length: usize, kind: Kind, flags: u8, stream: u32) {
    to.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
    to.extend_from_slice(&[kind.code(), flags]);
    to.extend_from_slice(&stream.to_be_bytes());
}

/// Sets the length of the frame that began at `start` and is the last.
pub fn set_length(frames: &mut [u8], start: usize) {
    let length = (frames.len() - start - HEADER) as u32;
    frames[start..start + 3].copy_from_slice(&length.to_be_bytes()[1..]);
}

/// What a client begins with: no table of headers, no pushes, these windows for a stream and, in addition to what it has,
/// for the connection.
pub fn preface(to: &mut Vec<u8>, stream_window: u32, more: u32) {
    to.extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let settings = [(HEADER_TABLE_SIZE, 0), (ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, stream_window)];
    header(to, settings.len() * 6, Kind::Settings, 0, 0);
    for (setting, value) in settings {
        to.extend_from_slice(&setting.to_be_bytes());
        to.extend_from_slice(&value.to_be_bytes());
    }
    window_update(to, 0, more);
}

/// Lets the server send so much more.
pub fn window_update(to: &mut Vec<u8>, stream: u32, more: u32) {
    header(to, 4, Kind::WindowUpdate, 0, stream);
    to.extend_from_slice(&more.to_be_bytes());
}

/// `:method`.
pub fn method(to: &mut Vec<u8>, method: Method) {
    match method {
        Method::Get => to.push(GET),
        Method::Post => to.push(POST),
        Method::Put => literal(to, METHOD, b"PUT"),
        Method::Patch => literal(to, METHOD, b"PATCH"),
        Method::Delete => literal(to, METHOD, b"DELETE"),
    }
}

/// A field whose name is in the static table, not to be remembered.
pub fn literal(to: &mut Vec<u8>, name: u8, value: &[u8]) {
    integer(to, name.into(), 4);
    string(to, value);
}

/// A field whose name is not.
pub fn named_literal(to: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    to.push(0);
    string(to, name);
    string(to, value);
}

fn string(to: &mut Vec<u8>, value: &[u8]) {
    integer(to, value.len(), 7);
    to.extend_from_slice(value);
}

/// An integer in a byte's low `bits` and, if it does not fit, the bytes that follow (RFC 7541, 5.1).
fn integer(to: &mut Vec<u8>, value: usize, bits: u32) {
    let most = (1 << bits) - 1;
    if value < most {
        return to.push(value as u8);
    }
    to.push(most as u8);
    let mut rest = value - most;
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

/// The status that a head begins with; 0 if it does not begin with one, as trailers.
pub fn status(mut block: &[u8]) -> u16 {
    // Changes of the table's size may come first.
    while let [first, rest @ ..] = block
        && first & 0xe0 == 0x20
    {
        block = rest;
    }
    match block {
        [first, ..] if first & 0x80 != 0 => {
            let place = first & 0x7f;
            if STATUS.contains(&place) { STATUSES[usize::from(place - STATUS.start)] } else { 0 }
        }
        [first, length, value @ ..] => {
            let place = if first & 0x40 != 0 { first & 0x3f } else { first & 0x0f };
            let value = value.get(..usize::from(length & 0x7f)).unwrap_or_default();
            match (STATUS.contains(&place), length & 0x80 != 0) {
                (false, _) => 0,
                (true, false) => {
                    value.iter().fold(0, |number, digit| number * 10 + u16::from(digit.wrapping_sub(b'0') % 10))
                }
                (true, true) => digits(value),
            }
        }
        _ => 0,
    }
}

/// Three digits in Huffman's code (RFC 7541, appendix B): 0 to 2 have five bits, the others six.
fn digits(code: &[u8]) -> u16 {
    let bits = code.iter().take(4).fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
    let mut bits = bits << (8 * (4 - code.len().min(4)));
    let mut number = 0;
    for _ in 0..3 {
        let (digit, length) = match bits >> 27 {
            five @ 0..=2 => (five, 5),
            _ => ((bits >> 26).saturating_sub(0x19) + 3, 6),
        };
        number = number * 10 + digit as u16;
        bits <<= length;
    }
    number
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_status_is_read_in_each_form_that_servers_choose() {
        for (block, expected) in [
            (&[0x88][..], 200),
            (&[0x8d], 404),
            (&[0x20, 0x88], 200),
            (&[0x08, 3, b'2', b'0', b'1'], 201),
            (&[0x48, 3, b'4', b'2', b'9'], 429),
            // Huffman: 201 is 00010 00000 00001, 409 is 011010 00000 011111, then ones.
            (&[0x08, 0x82, 0b0001_0000, 0b0000_0011], 201),
            (&[0x08, 0x83, 0b0110_1000, 0b0000_1111, 0b1111_1111], 409),
            (&[0x00, 0x8a, 1, 2, 3], 0),
            (&[], 0),
        ] {
            assert_eq!(status(block), expected, "{block:02x?}");
        }
    }

    #[test]
    fn a_frame_is_read_once_all_of_it_is_there() {
        let mut bytes = Vec::new();
        header(&mut bytes, 0, Kind::Headers, flags::END_HEADERS, 5);
        literal(&mut bytes, CONTENT_TYPE, &[b'a'; 200]);
        set_length(&mut bytes, 0);
        assert!(Frame::read(&bytes, 0..bytes.len() - 1).unwrap().is_none());
        let frame = Frame::read(&bytes, 0..bytes.len()).unwrap().unwrap();
        assert_eq!((frame.kind, frame.stream, frame.end), (Kind::Headers, 5, bytes.len()));
        // 31 and 200 take a byte more than their prefix holds.
        assert_eq!(&bytes[HEADER..HEADER + 4], &[15, 16, 127, 73]);
    }
}

//! How a result becomes an HTTP answer: encoding, indentation, compression, and the Status of a failure.

use std::io::Write;

use apimachinery::quote::write_go_json;
use apimachinery::status::{Status, StatusError};
use bytes::{BufMut as _, Bytes};
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER, VARY};
use http::{HeaderMap, Response, StatusCode};
use serde::Serialize;

use crate::body::Body;
use crate::indent::Indented;
use crate::negotiation::{Accepted, Encoding};
use crate::protobuf;
use crate::text::{Piece, Text};
use crate::yaml;

/// Answers larger than this are compressed for clients that accept it (upstream's threshold).
pub(crate) const GZIP_THRESHOLD: usize = 128 * 1024;
/// A longer text is not copied for the sake of the line break that it ends with.
const COPIED: usize = 8 * 1024;

/// What is told of an object whose YAML would be larger than [`yaml_room`].
const TOO_DEEP: &str = "the answer is nested too deeply to be indented as YAML: ask for application/json";

/// How large the YAML of so many bytes of JSON may become: many times what any object needs whose depth has a reason.
/// Each line states its depth in spaces, so that the largest object can need gigabytes.
fn yaml_room(json: usize) -> usize {
    (16 << 20) + 8 * json
}

/// How an answer is written: what was negotiated, and whether the client reads gzip.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    /// What was negotiated.
    pub accepted: Accepted,
    /// The client accepts `gzip`.
    pub gzip: bool,
}

impl Form {
    /// The form for errors before anything was negotiated: JSON.
    pub(crate) fn plain() -> Self {
        Self::default()
    }

    /// Whether the JSON can go out as it is.
    fn verbatim(&self) -> bool {
        self.accepted.encoding == Encoding::Json && !self.accepted.pretty
    }

    /// An answer of JSON text made by this server.
    pub(crate) fn json(&self, code: StatusCode, json: Bytes) -> Response<Body> {
        match self.accepted.encoding {
            Encoding::Protobuf => self.encoded(code, protobuf::json(&json)),
            Encoding::Json if self.accepted.pretty => self.pieces(code, Indented::new(json)),
            Encoding::Json => self.line(code, json),
            Encoding::Yaml => match apimachinery::json::parse(&json) {
                Ok(value) => match yaml::to_string_within(&value, yaml_room(json.len())) {
                    Some(text) => self.bytes(code, text.into()),
                    None => Self::plain().status(&StatusError::not_acceptable(TOO_DEEP)),
                },
                Err(error) => {
                    Self::plain().status(&StatusError::internal(format!("unable to decode an answer: {error}")))
                }
            },
        }
    }

    /// An answer of a value.
    pub(crate) fn value<T: Serialize>(&self, code: StatusCode, value: &T) -> Response<Body> {
        let mut json = Vec::with_capacity(512);
        match write_go_json(&mut json, value) {
            Ok(()) => self.json(code, json.into()),
            Err(error) => self.status(&StatusError::internal(format!("unable to encode an answer: {error}"))),
        }
    }

    /// An answer of JSON text in pieces, none of them empty.
    pub(crate) fn texts(&self, code: StatusCode, texts: impl Iterator<Item = Text> + Send + 'static) -> Response<Body> {
        if !self.verbatim() {
            let mut json = Vec::new();
            texts.for_each(|text| json.put(text));
            return self.json(code, json.into());
        }
        if self.gzip {
            return self.pieces(code, texts.map(Bytes::from));
        }
        let mut texts = texts.peekable();
        let first = texts.next().unwrap_or_default();
        if texts.peek().is_none() {
            return self.bytes(code, first.into());
        }
        let mut response = respond(code, self.accepted.encoding.media_type());
        *response.body_mut() = Body::Texts(Box::new(std::iter::once(first).chain(texts)));
        response
    }

    /// An answer of text in pieces, as it is.
    fn pieces(&self, code: StatusCode, pieces: impl Iterator<Item = Bytes> + Send + 'static) -> Response<Body> {
        let mut chunks = pieces.peekable();
        let first = chunks.next().unwrap_or_default();
        if chunks.peek().is_none() {
            return self.bytes(code, first);
        }
        let mut response = respond(code, self.accepted.encoding.media_type());
        let all = std::iter::once(first).chain(chunks);
        *response.body_mut() = if self.gzip {
            compressed(response.headers_mut());
            gzip_chunks(all)
        } else {
            Body::Chunks(Box::new(all))
        };
        response
    }

    /// An answer of an envelope; what has none is an error in JSON.
    pub(crate) fn encoded(&self, code: StatusCode, envelope: Result<Bytes, StatusError>) -> Response<Body> {
        match envelope {
            Ok(envelope) => self.bytes(code, envelope),
            Err(error) => Self::plain().status(&error),
        }
    }

    /// An answer of JSON text and a line break, which Go's encoder writes after a value.
    fn line(&self, code: StatusCode, json: Bytes) -> Response<Body> {
        if json.ends_with(b"\n") {
            return self.bytes(code, json);
        }
        if json.len() > COPIED && !self.gzip {
            let mut response = respond(code, self.accepted.encoding.media_type());
            *response.body_mut() = Body::Line(json);
            return response;
        }
        self.bytes(code, [&json[..], b"\n"].concat().into())
    }

    fn bytes(&self, code: StatusCode, bytes: Bytes) -> Response<Body> {
        let mut response = respond(code, self.accepted.encoding.media_type());
        if self.gzip && bytes.len() > GZIP_THRESHOLD {
            compressed(response.headers_mut());
            *response.body_mut() = gzip_chunks(std::iter::once(bytes));
        } else {
            *response.body_mut() = bytes.into();
        }
        response
    }

    /// The answer to a request that failed.
    pub(crate) fn status(&self, error: &StatusError) -> Response<Body> {
        let code = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = self.success(code, error.status());
        if let Some(seconds) = error.retry_after_seconds() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// An answer of a Status.
    pub(crate) fn success(&self, code: StatusCode, status: &Status) -> Response<Body> {
        self.value(code, status)
    }
}

/// An answer without a body yet.
pub(crate) fn respond(code: StatusCode, content_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer in plain text.
pub(crate) fn text(code: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = respond(code, "text/plain; charset=utf-8");
    response.headers_mut().insert("X-Content-Type-Options", HeaderValue::from_static("nosniff"));
    *response.body_mut() = text.into().into();
    response
}

/// The 500 of a request that could not be decided about: text, not a Status.
pub(crate) fn internal_error(uri: &http::Uri, error: &str) -> Response<Body> {
    let asked = apimachinery::quote::quoted(uri.path_and_query().map_or(uri.path(), |asked| asked.as_str()));
    let message = format!("Internal Server Error: {asked}: {error}\n");
    // Upstream's words are safe to show in a page.
    text(StatusCode::INTERNAL_SERVER_ERROR, message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

/// The 404 of a path that no router knows: text, not a Status.
pub(crate) fn page_not_found() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// Says that the body is gzip.
pub(crate) fn compressed(headers: &mut HeaderMap) {
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
}

/// Whether `Accept-Encoding` names gzip.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(http::header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    value.split(',').any(|token| token.split(';').next().unwrap_or_default().trim() == "gzip")
}

/// Compresses piece by piece.
fn gzip_chunks(chunks: impl Iterator<Item = Bytes> + Send + 'static) -> Body {
    // Upstream's level: most of the gain for the least time.
    stream((GzEncoder::new(Vec::new(), flate2::Compression::fast()), chunks), compress)
}

/// Pieces that take some work each.
pub(crate) fn on_a_thread(chunks: impl Iterator<Item = Bytes> + Send + 'static) -> Body {
    stream(chunks, |mut chunks| (chunks.next().unwrap_or_default(), Some(chunks)))
}

/// A body made piece by piece, each when the client is ready for it, on a thread for blocking work: none waits for a client.
/// An empty piece is the end.
fn stream<S: Send + 'static>(state: S, next: fn(S) -> (Bytes, Option<S>)) -> Body {
    let stream = futures::stream::unfold(Some(state), move |left| async move {
        let left = left?;
        match tokio::task::spawn_blocking(move || next(left)).await {
            Ok((piece, left)) => (!piece.is_empty()).then_some((Piece::Bytes(piece), left)),
            // A panic ends the answer as one on this thread would: cut off, not complete.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The server stops.
            Err(_) => futures::future::pending().await,
        }
    });
    Body::Stream(Box::pin(stream))
}

/// A compressed answer on its way: what is compressed and waits for more, and the pieces to come.
type Compressing<I> = (GzEncoder<Vec<u8>>, I);

/// The next piece of the compressed answer, and what is left to compress.
fn compress<I: Iterator<Item = Bytes>>((mut encoder, mut chunks): Compressing<I>) -> (Bytes, Option<Compressing<I>>) {
    for chunk in chunks.by_ref() {
        // Writing to memory does not fail.
        let _ = encoder.write_all(&chunk);
        let ready = encoder.get_mut();
        if ready.len() >= 16 * 1024 {
            return (std::mem::take(ready).into(), Some((encoder, chunks)));
        }
    }
    (encoder.finish().unwrap_or_default().into(), None)
}

/// The longest that all warnings together may be before each is cut (upstream: 4 KiB in all, then 256 each), in characters.
const WARNINGS_TOTAL: usize = 4 * 1024;
const WARNING_CUT: usize = 256;

/// Adds a `Warning` header for each warning, each once.
pub(crate) fn add_warnings(headers: &mut HeaderMap, warnings: Vec<String>) {
    let mut seen: Vec<String> = Vec::new();
    for warning in warnings {
        // The lines of a YAML error are a warning each.
        let lines = match warning.strip_prefix(crate::decode::YAML_ERRORS) {
            Some(lines) => lines.lines().map(|line| line.trim().to_owned()).collect(),
            None => vec![warning],
        };
        for line in lines {
            if !line.is_empty() && !seen.contains(&line) {
                seen.push(line);
            }
        }
    }
    let total: usize = seen.iter().map(|warning| warning.chars().count()).sum();
    for mut warning in seen {
        if total > WARNINGS_TOTAL && warning.chars().count() > WARNING_CUT {
            warning = warning.chars().take(WARNING_CUT).collect();
        }
        let mut value = String::from("299 - \"");
        for character in warning.chars() {
            match character {
                '"' | '\\' => {
                    value.push('\\');
                    value.push(character);
                }
                c if c.is_control() => value.push(' '),
                c => value.push(c),
            }
        }
        value.push('"');
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            headers.append(http::header::WARNING, value);
        }
    }
}

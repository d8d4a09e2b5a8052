//! Lists and watches on their way out: pieces of JSON around the objects' own text, which is neither parsed nor kept
//! twice.

use std::sync::Arc;

use apimachinery::status::StatusError;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use registry::{EventKind, Listed, Row, Served, WatchEvent, WatchStream};

use crate::raw;
use crate::table::Shape;

/// A list leaves in pieces of about this many bytes.
const CHUNK: usize = 64 * 1024;

/// The JSON of a list in the shape asked for. Only the piece that is being sent is in memory besides the objects.
pub(crate) fn list(
    row: &Arc<Row>,
    shape: Shape,
    mut listed: Listed,
) -> Result<impl Iterator<Item = Bytes> + Send + 'static, StatusError> {
    shape.sort(&mut listed.items);
    let null = listed.items.is_empty() && shape.empty_is_null();
    let mut head = match &shape {
        Shape::Object => {
            let api_version = quoted(&row.api_version());
            format!(r#"{{"apiVersion":{api_version},"items":["#)
        }
        shape => shape.head(row)?,
    };
    let tail = match &shape {
        Shape::Object => {
            let kind = quoted(&row.list_kind);
            format!(r#"],"kind":{kind},"metadata":{}}}"#, list_meta(row.is_custom(), &listed))
        }
        shape => shape.tail(&list_meta(false, &listed)),
    };
    // The list's brackets: the head ends with the one and the tail begins with the other.
    let tail = if null {
        head.pop();
        head.push_str("null");
        tail.strip_prefix(']').unwrap_or(&tail).to_owned()
    } else {
        tail
    };
    Ok(Chunks {
        head: Some(head.into_bytes()),
        items: listed.items.into_iter(),
        tail: Some(tail),
        shape,
        // The objects in a list of a built-in kind do not repeat its version and kind.
        type_meta: row.is_custom(),
        first: true,
    })
}

/// The `metadata` of a list. Upstream's lists of custom resources always carry `continue`.
pub(crate) fn list_meta(always_continue: bool, listed: &Listed) -> String {
    let mut meta = String::from("{");
    if !listed.continue_token.is_empty() || always_continue {
        meta.push_str(r#""continue":"#);
        meta.push_str(&quoted(&listed.continue_token));
        meta.push(',');
    }
    if let Some(remaining) = listed.remaining.filter(|remaining| *remaining > 0) {
        meta.push_str(r#""remainingItemCount":"#);
        meta.push_str(itoa::Buffer::new().format(remaining));
        meta.push(',');
    }
    meta.push_str(r#""resourceVersion":"#);
    meta.push_str(&quoted(&listed.resource_version));
    meta.push('}');
    meta
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

struct Chunks {
    head: Option<Vec<u8>>,
    items: std::vec::IntoIter<Served>,
    tail: Option<String>,
    shape: Shape,
    type_meta: bool,
    first: bool,
}

impl Iterator for Chunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.tail.as_ref()?;
        // Room for the object that goes over the edge.
        let mut out = Vec::with_capacity(if self.items.len() > 8 { CHUNK + CHUNK / 4 } else { 4 * 1024 });
        if let Some(head) = self.head.take() {
            out.extend_from_slice(&head);
        }
        for item in self.items.by_ref() {
            if !std::mem::take(&mut self.first) {
                out.push(b',');
            }
            match &self.shape {
                Shape::Object if self.type_meta => out.extend_from_slice(item.bytes()),
                Shape::Object => raw::push_without_type_meta(item.bytes(), &mut out),
                shape => shape.push_item(&item, &mut out),
            }
            if out.len() >= CHUNK {
                return Some(out.into());
            }
        }
        if let Some(tail) = self.tail.take() {
            out.extend_from_slice(tail.as_bytes());
            out.push(b'\n');
        }
        Some(out.into())
    }
}

/// The frames of a watch in the shape asked for. In the plain shape they are the registry's own, shared by all watchers.
pub(crate) fn watch(row: Arc<Row>, shape: Shape, events: WatchStream) -> impl Stream<Item = Bytes> + Send + 'static {
    let mut shape = shape;
    events.map(move |event| match (&mut shape, event.kind) {
        (Shape::Object, _) | (_, EventKind::Error) => event.framed,
        (shape, _) => frame(&row, shape, &event),
    })
}

fn frame(row: &Row, shape: &mut Shape, event: &WatchEvent) -> Bytes {
    let (kind, object) = match shape.event(row, &event.object) {
        Ok(object) => (event.kind, object),
        Err(error) => (EventKind::Error, serde_json::to_vec(error.status()).unwrap_or_default().into()),
    };
    let mut out = Vec::with_capacity(object.len() + 40);
    out.extend_from_slice(br#"{"type":""#);
    out.extend_from_slice(kind.as_str().as_bytes());
    out.extend_from_slice(br#"","object":"#);
    out.extend_from_slice(&object);
    out.extend_from_slice(b"}\n");
    out.into()
}

//! Lists and watches on their way out: pieces of JSON around the objects' own text, which is neither parsed nor kept
//! twice.

use std::sync::Arc;

use apimachinery::quote::{go_json, go_json_bytes};
use apimachinery::status::StatusError;
use bytes::{Buf as _, Bytes};
use futures::{Stream, StreamExt};
use registry::{EventKind, Listed, Row, Served, WatchEvent, WatchStream};

use crate::table::Shape;
use crate::text::Text;

/// A list leaves in pieces of about this many bytes, so that the first leaves soon and little that is made waits to be sent.
const CHUNK: usize = 64 * 1024;
/// Once the first has left, pieces hold so much of objects as they are in the cache anyway: at each piece the task that gathers
/// and the one that sends wait for each other.
const SHARED_CHUNK: usize = 512 * 1024;

/// The JSON of a list in the shape asked for. Only the piece that is being sent is in memory besides the objects.
pub(crate) fn list(
    row: &Arc<Row>,
    shape: Shape,
    mut listed: Listed,
) -> Result<impl Iterator<Item = Text> + Send + 'static, StatusError> {
    shape.sort(&mut listed.items);
    let null = listed.items.is_empty() && shape.empty_is_null();
    let (mut head, tail) = match &shape {
        Shape::Object => {
            let (api_version, kind) = (quoted(&row.api_version()), quoted(&row.list_kind));
            let meta = list_meta(row.is_custom(), &listed);
            if row.is_custom() {
                // Untyped lists are sorted by key.
                (
                    format!(r#"{{"apiVersion":{api_version},"items":["#),
                    format!(r#"],"kind":{kind},"metadata":{meta}}}"#),
                )
            } else {
                (format!(r#"{{"kind":{kind},"apiVersion":{api_version},"metadata":{meta},"items":["#), "]}".to_owned())
            }
        }
        shape => (shape.head(row, &list_meta(false, &listed))?, "]}".to_owned()),
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
        row: row.clone(),
        first: true,
    })
}

/// The `metadata` of a list. Untyped lists, those of custom resources, are sorted by key and always carry `continue`.
pub(crate) fn list_meta(untyped: bool, listed: &Listed) -> String {
    let remaining = listed.remaining.filter(|remaining| *remaining > 0);
    let remaining = remaining.map(|remaining| format!(r#""remainingItemCount":{remaining}"#));
    let resource_version = Some(format!(r#""resourceVersion":{}"#, quoted(&listed.resource_version)));
    let token = (untyped || !listed.continue_token.is_empty())
        .then(|| format!(r#""continue":{}"#, quoted(&listed.continue_token)));
    let fields = if untyped { [token, remaining, resource_version] } else { [resource_version, token, remaining] };
    format!("{{{}}}", fields.into_iter().flatten().collect::<Vec<_>>().join(","))
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    go_json(text)
}

struct Chunks {
    head: Option<Vec<u8>>,
    items: std::vec::IntoIter<Served>,
    tail: Option<String>,
    shape: Shape,
    row: Arc<Row>,
    first: bool,
}

impl Iterator for Chunks {
    type Item = Text;

    fn next(&mut self) -> Option<Text> {
        self.tail.as_ref()?;
        let mut out = Text::default();
        let enough = match (&self.head, &self.shape) {
            (None, Shape::Object) => SHARED_CHUNK,
            _ => CHUNK,
        };
        out.push(self.head.take().unwrap_or_default());
        for item in self.items.by_ref() {
            let first = std::mem::take(&mut self.first);
            match &self.shape {
                // The objects in a list of a built-in kind do not repeat its version and kind.
                Shape::Object if self.row.is_custom() => out.push_object(item, first),
                Shape::Object => out.push_object_without_type_meta(item, first),
                shape => {
                    let mut text = Vec::new();
                    if !first {
                        text.push(b',');
                    }
                    shape.push_item(&self.row, &item, &mut text);
                    out.push(text);
                }
            }
            if out.remaining() >= enough {
                return Some(out);
            }
        }
        if let Some(tail) = self.tail.take() {
            out.push(tail.into_bytes());
            out.push(b"\n".to_vec());
        }
        Some(out)
    }
}

/// The frames of a watch in the shape asked for. In the plain shape they are the registry's own, shared by all watchers.
pub(crate) fn watch(row: Arc<Row>, shape: Shape, events: WatchStream) -> impl Stream<Item = Bytes> + Send + 'static {
    let mut shape = shape;
    events.map(move |event| match (&mut shape, event.kind) {
        (Shape::Object, _) | (_, EventKind::Error) => event.framed(),
        (shape, _) => frame(&row, shape, &event),
    })
}

fn frame(row: &Row, shape: &mut Shape, event: &WatchEvent) -> Bytes {
    let (kind, object) = match shape.event(row, &event.object()) {
        Ok(object) => (event.kind, object),
        Err(error) => (EventKind::Error, go_json_bytes(error.status()).into()),
    };
    let mut out = Vec::with_capacity(object.len() + 40);
    out.extend_from_slice(br#"{"type":""#);
    out.extend_from_slice(kind.as_str().as_bytes());
    out.extend_from_slice(br#"","object":"#);
    out.extend_from_slice(&object);
    out.extend_from_slice(b"}\n");
    out.into()
}

//! YAML as upstream reads it: the first document, by the rules of YAML 1.1 (`yes` is a boolean, `010` is 8), turned into
//! what its JSON would say.
//!
//! Repeated keys are noticed, aliases are bounded, and what cannot be read is refused in the words of Go's library.

mod plain;
mod scalar;
mod words;

use std::collections::HashMap;

use granit_parser::{Event, Parser, Span};
use serde_json::{Map, Value};

use crate::json::MAX_DEPTH;

use scalar::Scalar;

/// What a document says.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The value; null if there is no document.
    pub value: Value,
    /// `line 7: key "k" already set in map` for each key that is there twice, of which the last one counts.
    pub repeated: Vec<String>,
}

/// Why a text is no YAML, in the words of Go's library.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SyntaxError(String);

impl SyntaxError {
    fn yaml(words: impl std::fmt::Display) -> Self {
        Self(format!("yaml: {words}"))
    }
}

/// All that aliases may repeat of a document's text, in bytes: Go shares such strings, here each is a copy.
const MAX_REPEATED_BYTES: usize = 64 * 1024 * 1024;

/// Decodes the first document of a text.
///
/// # Errors
/// `yaml: line 1: …`, as Go's library says it.
pub fn decode(bytes: &[u8]) -> Result<Decoded, SyntaxError> {
    match plain::decode(bytes) {
        Some(decoded) => Ok(decoded),
        None => decode_any(bytes),
    }
}

fn decode_any(bytes: &[u8]) -> Result<Decoded, SyntaxError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| words::not_utf8(bytes, error))?;
    if let Some(error) = words::control_character(text) {
        return Err(error);
    }
    let options = granit_parser::options! {
        emit_comments: false,
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut composer = Composer::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| words::of(&error, text))?;
        if let Some(value) = composer.take(event, span)? {
            return Ok(Decoded { value, repeated: composer.repeated });
        }
    }
    Ok(Decoded { value: Value::Null, repeated: composer.repeated })
}

/// A collection that is not closed yet.
enum Open {
    Sequence(Vec<Value>),
    Mapping {
        fields: Map<String, Value>,
        /// The key whose value is next.
        key: Option<Key>,
    },
}

enum Key {
    /// A field's name, and how Go prints it.
    Name(String, String),
    /// `<<`: the fields of other mappings.
    Merge,
}

struct Frame {
    open: Open,
    /// Its anchor; 0 is none.
    anchor: usize,
    line: usize,
    size: Size,
}

/// What it costs to repeat a value.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Size {
    fn scalar(bytes: usize) -> Self {
        Self { nodes: 1, bytes, depth: 0 }
    }

    fn add(&mut self, part: Self) {
        self.nodes += part.nodes;
        self.bytes += part.bytes;
        self.depth = self.depth.max(part.depth + 1);
    }
}

#[derive(Default)]
struct Composer {
    open: Vec<Frame>,
    anchors: HashMap<usize, (Value, Size)>,
    names: HashMap<usize, String>,
    /// A finished root.
    root: Option<Value>,
    repeated: Vec<String>,
    /// Nodes read, those of them read through an alias, and the bytes of these.
    decoded: usize,
    aliased: usize,
    aliased_bytes: usize,
}

impl Composer {
    /// Takes the next event; the document's value when it is complete.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<Option<Value>, SyntaxError> {
        let line = span.start.line();
        match event {
            Event::DocumentEnd => return Ok(Some(self.root.take().unwrap_or_default())),
            Event::Anchor(id, name) => {
                self.names.insert(id, name.into_owned());
            }
            Event::UnresolvedAlias(name) => {
                return Err(SyntaxError::yaml(format_args!("unknown anchor '{name}' referenced")));
            }
            Event::Alias(id) => {
                self.count()?;
                let (value, size) = self.repeat(id)?;
                let key = Scalar::of_value(&value);
                self.put(value, key, size, line)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count()?;
                let scalar = scalar::resolve(&text, style, tag.as_deref())?;
                let size = Size::scalar(text.len());
                // A value is made where one is needed: most keys are names.
                if self.wants_key() {
                    if anchor > 0 {
                        self.anchors.insert(anchor, (scalar.clone().into_value()?, size));
                    }
                    self.key(scalar, size)?;
                } else {
                    let value = scalar.into_value()?;
                    if anchor > 0 {
                        self.anchors.insert(anchor, (value.clone(), size));
                    }
                    self.put(value, None, size, line)?;
                }
            }
            Event::SequenceStart(_, anchor, _) => self.enter(Open::Sequence(Vec::new()), anchor, line)?,
            Event::MappingStart(_, anchor, _) => {
                self.enter(Open::Mapping { fields: Map::new(), key: None }, anchor, line)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.open.pop() else { return Ok(None) };
                let value = match frame.open {
                    Open::Sequence(items) => Value::Array(items),
                    Open::Mapping { fields, .. } => Value::Object(fields),
                };
                if frame.anchor > 0 {
                    self.anchors.insert(frame.anchor, (value.clone(), frame.size));
                }
                self.put(value, None, frame.size, frame.line)?;
            }
            _ => {}
        }
        Ok(None)
    }

    fn enter(&mut self, open: Open, anchor: usize, line: usize) -> Result<(), SyntaxError> {
        self.count()?;
        if self.open.len() >= MAX_DEPTH {
            return Err(SyntaxError("exceeded max depth".into()));
        }
        self.open.push(Frame { open, anchor, line, size: Size::scalar(0) });
        Ok(())
    }

    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Frame { open: Open::Mapping { key: None, .. }, .. }))
    }

    /// One node more. Most of a large document must not come from aliases: Go's rule and numbers.
    #[allow(clippy::cast_precision_loss)]
    fn count(&mut self) -> Result<(), SyntaxError> {
        const SMALL: f64 = 400_000.0;
        const LARGE: f64 = 4_000_000.0;
        self.decoded += 1;
        let (decoded, aliased) = (self.decoded as f64, self.aliased as f64);
        let allowed = 0.99 - 0.89 * ((decoded - SMALL) / (LARGE - SMALL)).clamp(0.0, 1.0);
        let excessive = self.aliased > 100 && self.decoded > 1000 && aliased / decoded > allowed;
        if excessive || self.aliased_bytes > MAX_REPEATED_BYTES {
            return Err(SyntaxError::yaml("document contains excessive aliasing"));
        }
        Ok(())
    }

    /// The value of an anchor, once more.
    fn repeat(&mut self, anchor: usize) -> Result<(Value, Size), SyntaxError> {
        let size = self.anchors.get(&anchor).map(|(_, size)| *size).ok_or_else(|| {
            let name = self.names.get(&anchor).map_or("", String::as_str);
            SyntaxError::yaml(format_args!("anchor '{name}' value contains itself"))
        })?;
        self.decoded += size.nodes - 1;
        self.aliased += size.nodes;
        self.aliased_bytes = self.aliased_bytes.saturating_add(size.bytes);
        self.count()?;
        if self.open.len() + size.depth > MAX_DEPTH {
            return Err(SyntaxError("exceeded max depth".into()));
        }
        Ok((self.anchors.get(&anchor).map(|(value, _)| value.clone()).unwrap_or_default(), size))
    }

    /// A key of the innermost mapping.
    fn key(&mut self, scalar: Scalar, size: Size) -> Result<(), SyntaxError> {
        let named = match scalar {
            Scalar::Merge => Key::Merge,
            scalar => {
                let printed = scalar.printed();
                Key::Name(scalar.into_name()?, printed)
            }
        };
        if let Some(Frame { open: Open::Mapping { key, .. }, size: all, .. }) = self.open.last_mut() {
            *key = Some(named);
            all.add(size);
        }
        Ok(())
    }

    /// A value into the innermost collection; `scalar` is what it is as a key, if it can be one.
    fn put(&mut self, value: Value, scalar: Option<Scalar>, size: Size, line: usize) -> Result<(), SyntaxError> {
        if self.wants_key() {
            return match scalar {
                Some(scalar) => self.key(scalar, size),
                None => Err(SyntaxError::yaml(format_args!("invalid map key: {value}"))),
            };
        }
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(value);
            return Ok(());
        };
        frame.size.add(size);
        match &mut frame.open {
            Open::Sequence(items) => items.push(value),
            Open::Mapping { fields, key } => match key.take() {
                Some(Key::Merge) => merge(fields, value)?,
                Some(Key::Name(name, printed)) => {
                    let before = fields.insert(name, value);
                    if before.is_some() {
                        self.repeated.push(format!("line {line}: key {printed} already set in map"));
                    }
                }
                None => {}
            },
        }
        Ok(())
    }
}

/// `<<`: the fields of a mapping, or of several, of which the first counts.
fn merge(fields: &mut Map<String, Value>, value: Value) -> Result<(), SyntaxError> {
    let sources = match value {
        Value::Array(items) => items,
        value => vec![value],
    };
    for source in sources.into_iter().rev() {
        let Value::Object(source) = source else {
            return Err(SyntaxError::yaml("map merge requires map or sequence of maps as the value"));
        };
        fields.extend(source);
    }
    Ok(())
}

#[cfg(test)]
mod tests;

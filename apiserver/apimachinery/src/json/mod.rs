//! JSON as upstream's decoders read it: fields stated twice are noticed, what is no Unicode is replaced, nesting ends at
//! Go's limit, and what cannot be read is refused in the words of Go's decoder.
//!
//! A text is read in one pass and without recursion, in time linear to its length. Code that walks the value walks by
//! recursion, and so does the release of its memory: threads that handle values of clients need [`STACK`] bytes.

mod scanner;
mod text;
mod writer;

use serde_json::map::Entry;
use serde_json::{Map, Value};

use scanner::{Fault, Scanner};
pub use writer::Verbatim;
pub(crate) use writer::{Writer, float};

/// How deep objects and arrays may be nested in what a client sends: Go's limit.
pub const MAX_DEPTH: usize = 10_000;
/// The stack of a thread that handles values of [`MAX_DEPTH`]. Only what is used of it takes memory.
pub const STACK: usize = 256 * 1024 * 1024;
/// What is stored is nested deeper than what was sent: the fields that its managers own are stored beside it.
const STORED_DEPTH: usize = 2 * MAX_DEPTH;
/// So many fields stated twice are told of, as upstream does.
const MAX_REPEATED: usize = 100;

/// How a field that is stated twice is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// Objects are merged, as Go decodes into a struct or map; else the last one counts (built-in kinds).
    Merge,
    /// The last one counts (custom resources, patches).
    Last,
}

/// What a text says.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The value.
    pub value: Value,
    /// `duplicate field "spec.a[0].b"` for each field that is stated more than once, in the order found.
    pub repeated: Vec<String>,
    /// The first number that no float64 holds (`1e400`). It is read as 0; who decodes into numbers refuses it with
    /// [`out_of_range`].
    pub out_of_range: Option<String>,
}

/// Why a text is no JSON, in the words of Go's decoder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SyntaxError(String);

/// What Go's decoder says of a number that no float64 holds.
pub fn out_of_range(number: &str) -> String {
    format!("json: cannot unmarshal number {number} into Go value of type float64")
}

/// What Go's decoder calls a value of this type.
pub fn type_word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Decodes what a client sent, which must be one value and nothing behind it.
///
/// # Errors
/// The message of Go's decoder.
pub fn decode(bytes: &[u8], duplicates: Duplicates) -> Result<Decoded, SyntaxError> {
    Reader::new(bytes, duplicates, MAX_DEPTH).document()
}

/// Reads a text of the server's own: an object as it is stored.
///
/// # Errors
/// What is wrong with the text.
pub fn parse(bytes: &[u8]) -> Result<Value, SyntaxError> {
    Reader::new(bytes, Duplicates::Last, STORED_DEPTH).document().map(|decoded| decoded.value)
}

/// [`parse`] of an object whose field sets are left as texts, see [`crate::field_sets`].
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn parse_but_field_sets(bytes: &[u8]) -> Result<Value, SyntaxError> {
    let mut reader = Reader::new(bytes, Duplicates::Last, STORED_DEPTH);
    reader.leaves_field_sets = true;
    reader.document().map(|decoded| decoded.value)
}

/// A container that is not closed yet.
enum Open {
    Array(Vec<Value>),
    Object {
        fields: Map<String, Value>,
        /// The name of the field whose value is read.
        name: String,
        /// Names that were told of.
        repeated: Vec<String>,
    },
}

struct Reader<'a> {
    scanner: Scanner<'a>,
    duplicates: Duplicates,
    depth: usize,
    /// Field sets are read as their texts.
    leaves_field_sets: bool,
    open: Vec<Open>,
    repeated: Vec<String>,
    out_of_range: Option<String>,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], duplicates: Duplicates, depth: usize) -> Self {
        let scanner = Scanner::new(bytes);
        Self {
            scanner,
            duplicates,
            depth,
            leaves_field_sets: false,
            open: Vec::new(),
            repeated: Vec::new(),
            out_of_range: None,
        }
    }

    fn document(mut self) -> Result<Decoded, SyntaxError> {
        match self.read() {
            Ok(value) => Ok(Decoded { value, repeated: self.repeated, out_of_range: self.out_of_range }),
            Err(fault) => Err(SyntaxError(fault.to_string())),
        }
    }

    fn read(&mut self) -> Result<Value, Fault> {
        loop {
            let Some(mut value) = self.begin()? else { continue };
            // Behind a value: into the container it belongs to, which may end with it.
            loop {
                if self.open.is_empty() {
                    return self.scanner.end().map(|()| value);
                }
                self.put(value);
                match self.ended()? {
                    Some(container) => value = container,
                    None => break,
                }
            }
        }
    }

    /// At the beginning of a value: the value, or `None` if a container was opened whose first value is next.
    fn begin(&mut self) -> Result<Option<Value>, Fault> {
        self.scanner.space();
        Ok(Some(match self.scanner.peek()? {
            b'{' => {
                if let Some(text) = self.field_set() {
                    return Ok(Some(Value::String(text.to_owned())));
                }
                self.enter()?;
                match self.scanner.peek()? {
                    b'}' => {
                        self.scanner.step();
                        Value::Object(Map::new())
                    }
                    b'"' => {
                        let name = self.scanner.key()?;
                        self.open.push(Open::Object { fields: Map::new(), name, repeated: Vec::new() });
                        return Ok(None);
                    }
                    byte => return Err(Fault::character(byte, "looking for beginning of object key string")),
                }
            }
            b'[' => {
                self.enter()?;
                if self.scanner.peek()? != b']' {
                    self.open.push(Open::Array(Vec::new()));
                    return Ok(None);
                }
                self.scanner.step();
                Value::Array(Vec::new())
            }
            b'"' => Value::String(self.scanner.string()?),
            b't' => self.scanner.literal("true", Value::Bool(true))?,
            b'f' => self.scanner.literal("false", Value::Bool(false))?,
            b'n' => self.scanner.literal("null", Value::Null)?,
            b'-' | b'0'..=b'9' => self.number()?,
            byte => return Err(Fault::character(byte, "looking for beginning of value")),
        }))
    }

    /// Where a field set begins that is to be left as text and has the usual form: its text.
    fn field_set(&mut self) -> Option<&'a str> {
        if !self.leaves_field_sets {
            return None;
        }
        let is_at = |open: &Open, field: &str| matches!(open, Open::Object { name, .. } if name == field);
        match self.open.as_slice() {
            [object, metadata, Open::Array(_), entry]
                if is_at(entry, "fieldsV1") && is_at(metadata, "managedFields") && is_at(object, "metadata") =>
            {
                self.scanner.names(self.depth - self.open.len())
            }
            _ => None,
        }
    }

    fn enter(&mut self) -> Result<(), Fault> {
        if self.open.len() >= self.depth {
            return Err(Fault::Depth);
        }
        self.scanner.step();
        self.scanner.space();
        Ok(())
    }

    /// Integers of 64 bits are integers, everything else is a float, as Go decodes into values without a type.
    fn number(&mut self) -> Result<Value, Fault> {
        let literal = self.scanner.number()?;
        if let Ok(integer) = literal.parse::<i64>() {
            return Ok(integer.into());
        }
        match literal.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(float.into()),
            _ => {
                self.out_of_range.get_or_insert_with(|| literal.to_owned());
                Ok(0.into())
            }
        }
    }

    /// Behind a value in a container: the container if it ends here, `None` if it goes on.
    fn ended(&mut self) -> Result<Option<Value>, Fault> {
        self.scanner.space();
        let byte = self.scanner.peek()?;
        match (self.open.last_mut(), byte) {
            (Some(Open::Object { name, .. }), b',') => {
                self.scanner.step();
                self.scanner.space();
                match self.scanner.peek()? {
                    b'"' => *name = self.scanner.key()?,
                    byte => return Err(Fault::character(byte, "looking for beginning of object key string")),
                }
                Ok(None)
            }
            (Some(Open::Array(_)), b',') => {
                self.scanner.step();
                Ok(None)
            }
            (Some(Open::Object { .. }), b'}') | (Some(Open::Array(_)), b']') => {
                self.scanner.step();
                Ok(self.open.pop().map(|open| match open {
                    Open::Array(items) => Value::Array(items),
                    Open::Object { fields, .. } => Value::Object(fields),
                }))
            }
            (Some(Open::Array(_)), byte) => Err(Fault::character(byte, "after array element")),
            (_, byte) => Err(Fault::character(byte, "after object key:value pair")),
        }
    }

    fn put(&mut self, value: Value) {
        let told = match self.open.last_mut() {
            None => return,
            Some(Open::Array(items)) => return items.push(value),
            Some(Open::Object { fields, name, repeated }) => match fields.entry(std::mem::take(name)) {
                Entry::Vacant(entry) => {
                    entry.insert(value);
                    return;
                }
                Entry::Occupied(mut entry) => {
                    name.push_str(entry.key());
                    let before = entry.get_mut();
                    match self.duplicates {
                        Duplicates::Merge => merge(before, value),
                        Duplicates::Last => *before = value,
                    }
                    let told = self.repeated.len() >= MAX_REPEATED || repeated.contains(name);
                    if !told {
                        repeated.push(name.clone());
                    }
                    told
                }
            },
        };
        if !told {
            let error = format!("duplicate field \"{}\"", self.path());
            if !self.repeated.contains(&error) {
                self.repeated.push(error);
            }
        }
    }

    /// Where the value that is read belongs.
    fn path(&self) -> String {
        use std::fmt::Write;
        let mut path = String::new();
        for open in &self.open {
            // Writing to a string does not fail.
            let _ = match open {
                Open::Array(items) => write!(path, "[{}]", items.len()),
                Open::Object { name, .. } if path.is_empty() => path.write_str(name),
                Open::Object { name, .. } => write!(path, ".{name}"),
            };
        }
        path
    }
}

fn merge(into: &mut Value, value: Value) {
    match (into, value) {
        (Value::Object(into), Value::Object(value)) => {
            for (key, value) in value {
                match into.get_mut(&key) {
                    Some(before) => merge(before, value),
                    None => {
                        into.insert(key, value);
                    }
                }
            }
        }
        // Go's decoder leaves a value alone when it reads null into it, unless it is a pointer, map or slice.
        (into, value) => *into = value,
    }
}

#[cfg(test)]
mod tests;

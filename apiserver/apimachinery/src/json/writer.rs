//! JSON as Go writes it: compact, with `<`, `>`, `&`, U+2028 and U+2029 escaped, floats in Go's form.

use std::fmt::Display;

use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::{Error, Result};

use super::text::first_escaped;

/// A float as Go's `json.Marshal` writes it: exponents below -6 and from 21 on.
pub(crate) fn float(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        value.to_string()
    } else {
        // Unlike `%v`, JSON drops the zero that pads a negative exponent.
        crate::quote::go_float(value).replace("e-0", "e-")
    }
}

/// JSON that is written as it is by [`go_json_bytes`](crate::quote::go_json_bytes); to other serializers it is a string.
#[derive(Clone, Copy, Debug)]
pub struct Verbatim<'a>(pub &'a str);

/// What tells a writer of it.
const VERBATIM: &str = "$apimachinery::json::Verbatim";

impl Serialize for Verbatim<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(VERBATIM, self.0)
    }
}

/// Writes to the end of a buffer. `RawValue`s are none of the values it can write; [`Verbatim`] is.
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// Strings are written as they are.
    verbatim: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, verbatim: false }
    }

    fn string(&mut self, text: &str) {
        let bytes = text.as_bytes();
        self.out.reserve(bytes.len() + 2);
        self.out.push(b'"');
        let (mut written, mut at) = (0, 0);
        while let Some(found) = first_escaped(&bytes[at..]) {
            at += found;
            let mut unicode = *b"\\u0000";
            let (escape, length): (&[u8], usize) = match bytes[at..] {
                [b'"', ..] => (b"\\\"", 1),
                [b'\\', ..] => (b"\\\\", 1),
                [b'\n', ..] => (b"\\n", 1),
                [b'\r', ..] => (b"\\r", 1),
                [b'\t', ..] => (b"\\t", 1),
                [0x08, ..] => (b"\\b", 1),
                [0x0c, ..] => (b"\\f", 1),
                [0xe2, 0x80, 0xa8, ..] => (b"\\u2028", 3),
                [0xe2, 0x80, 0xa9, ..] => (b"\\u2029", 3),
                [byte, ..] if byte.is_ascii() => {
                    const DIGITS: &[u8; 16] = b"0123456789abcdef";
                    unicode[4] = DIGITS[usize::from(byte >> 4)];
                    unicode[5] = DIGITS[usize::from(byte & 0xf)];
                    (&unicode, 1)
                }
                _ => {
                    at += 1;
                    continue;
                }
            };
            self.out.extend_from_slice(&bytes[written..at]);
            self.out.extend_from_slice(escape);
            at += length;
            written = at;
        }
        self.out.extend_from_slice(&bytes[written..]);
        self.out.push(b'"');
    }

    fn integer(&mut self, mut value: u64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[at..]);
    }

    /// `{"variant":`, which is to be closed.
    fn variant(&mut self, variant: &str) {
        self.out.push(b'{');
        self.string(variant);
        self.out.push(b':');
    }

    /// A variant of parts.
    fn variant_parts(mut self, variant: &str, open: u8, close: &'static str) -> Result<Parts<'a>> {
        self.variant(variant);
        Ok(self.parts(open, close))
    }

    fn parts(self, open: u8, close: &'static str) -> Parts<'a> {
        self.out.push(open);
        Parts { out: self.out, first: true, close }
    }
}

macro_rules! integers {
    ($($method:ident($kind:ty),)+) => {
        $(fn $method(self, value: $kind) -> Result<()> {
            self.serialize_i64(value.into())
        })+
    };
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    integers! {
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
    }

    fn serialize_bool(self, value: bool) -> Result<()> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i64(mut self, value: i64) -> Result<()> {
        if value < 0 {
            self.out.push(b'-');
        }
        self.integer(value.unsigned_abs());
        Ok(())
    }

    fn serialize_u64(mut self, value: u64) -> Result<()> {
        self.integer(value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<()> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<()> {
        if !value.is_finite() {
            return self.serialize_unit();
        }
        self.out.extend_from_slice(float(value).as_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<()> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(mut self, value: &str) -> Result<()> {
        if self.verbatim {
            self.out.extend_from_slice(value.as_bytes());
        } else {
            self.string(value);
        }
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Result<()> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<()> {
        value.serialize(Self { verbatim: name == VERBATIM, ..self })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        self.variant(variant);
        value.serialize(Writer::new(self.out))?;
        self.out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Parts<'a>> {
        Ok(self.parts(b'[', "]"))
    }

    fn serialize_tuple(self, _length: usize) -> Result<Parts<'a>> {
        Ok(self.parts(b'[', "]"))
    }

    fn serialize_tuple_struct(self, _name: &'static str, _length: usize) -> Result<Parts<'a>> {
        Ok(self.parts(b'[', "]"))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Parts<'a>> {
        self.variant_parts(variant, b'[', "]}")
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Parts<'a>> {
        Ok(self.parts(b'{', "}"))
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Parts<'a>> {
        Ok(self.parts(b'{', "}"))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Parts<'a>> {
        self.variant_parts(variant, b'{', "}}")
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<()> {
        self.serialize_str(&value.to_string())
    }
}

/// The parts of an array or object, and what closes it.
pub(crate) struct Parts<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
    close: &'static str,
}

impl Parts<'_> {
    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.separate();
        value.serialize(Writer::new(self.out))
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.separate();
        let start = self.out.len();
        key.serialize(Writer::new(self.out))?;
        match self.out.get(start) {
            Some(b'"') => {}
            Some(b'-' | b'0'..=b'9') => {
                self.out.insert(start, b'"');
                self.out.push(b'"');
            }
            _ => return Err(Error::custom("key must be a string")),
        }
        self.out.push(b':');
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(Writer::new(self.out))
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
        self.separate();
        Writer::new(self.out).string(name);
        self.out.push(b':');
        self.value(value)
    }

    fn close(self) -> Result<()> {
        self.out.extend_from_slice(self.close.as_bytes());
        Ok(())
    }
}

macro_rules! parts {
    ($($kind:ident::$method:ident => $with:ident($($argument:ident: $type:ty)?),)+) => {
        $(impl $kind for Parts<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, $($argument: $type,)? value: &T) -> Result<()> {
                self.$with($($argument,)? value)
            }

            fn end(self) -> Result<()> {
                self.close()
            }
        })+
    };
}

parts! {
    SerializeSeq::serialize_element => item(),
    SerializeTuple::serialize_element => item(),
    SerializeTupleStruct::serialize_field => item(),
    SerializeTupleVariant::serialize_field => item(),
    SerializeStruct::serialize_field => field(name: &'static str),
    SerializeStructVariant::serialize_field => field(name: &'static str),
}

impl SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.value(value)
    }

    fn end(self) -> Result<()> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    fn written<T: Serialize + ?Sized>(value: &T) -> String {
        let mut out = Vec::new();
        value.serialize(Writer::new(&mut out)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_escaped_wherever_in_them_what_is_to_be_escaped_stands() {
        for (special, escaped) in [
            ("\"", "\\\""),
            ("\\", "\\\\"),
            ("\n", "\\n"),
            ("\u{8}", "\\b"),
            ("\u{c}", "\\f"),
            ("\u{1}", "\\u0001"),
            ("\u{1f}", "\\u001f"),
            ("\u{7f}", "\u{7f}"),
            ("<", "\\u003c"),
            ("\u{2028}", "\\u2028"),
            ("\u{2029}", "\\u2029"),
            ("\u{2030}", "\u{2030}"),
            ("é", "é"),
        ] {
            // Before, in and behind the blocks that are looked at at once.
            for before in 0..40 {
                for after in [0, 1, 15, 16, 17] {
                    let text = |middle: &str| ["a".repeat(before).as_str(), middle, &"b".repeat(after)].concat();
                    assert_eq!(written(&text(special)), format!("\"{}\"", text(escaped)), "{before} {after}");
                }
            }
        }
    }

    #[test]
    fn what_is_json_already_is_written_as_it_is_and_nothing_behind_it_is() {
        assert_eq!(written(&("\"", Verbatim(r#"{"a":"<"}"#), "\"")), r#"["\"",{"a":"<"},"\""]"#);
        assert_eq!(serde_json::to_string(&Verbatim("{}")).unwrap(), r#""{}""#, "to others it is a string");
    }

    #[test]
    fn everything_else_is_written_as_serde_json_does() {
        #[derive(serde::Serialize)]
        enum Choice {
            Unit,
            New(u8),
            Tuple(i8, char),
            Struct { field: Option<u64> },
        }
        #[derive(serde::Serialize)]
        struct All {
            choices: Vec<Choice>,
            numbers: (i64, u64, f64, f64),
            unit: (),
            bytes: [u8; 2],
            named: BTreeMap<i32, bool>,
            value: Value,
        }
        let all = All {
            choices: vec![
                Choice::Unit,
                Choice::New(7),
                Choice::Tuple(-8, 'x'),
                Choice::Struct { field: None },
                Choice::Struct { field: Some(0) },
            ],
            numbers: (i64::MIN, u64::MAX, 1.5, f64::NAN),
            unit: (),
            bytes: [0, 255],
            named: BTreeMap::from([(-1, true), (10, false)]),
            value: json!({"empty": {}, "list": [[], [1], {"a": null}], "text": "é\n", "": -7}),
        };
        assert_eq!(written(&all), serde_json::to_string(&all).unwrap());
        assert!(json!(null).serialize(Writer::new(&mut Vec::new())).is_ok());
        let keyed = BTreeMap::from([(vec![1], 2)]);
        assert!(keyed.serialize(Writer::new(&mut Vec::new())).is_err(), "a key is a string");
    }
}

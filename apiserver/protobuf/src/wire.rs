//! The wire format of protobuf: reading forward, writing backward.

use crate::error::DecodeError;

/// The content of one field, of the wire types in use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// Passed over: fixed 32 and groups, which no message here has.
    Other(u8),
}

impl Wire<'_> {
    /// The number of the wire type.
    pub fn wire_type(&self) -> u8 {
        match self {
            Wire::Varint(_) => 0,
            Wire::Fixed64(_) => 1,
            Wire::Bytes(_) => 2,
            Wire::Other(wire_type) => *wire_type,
        }
    }
}

/// Reads the fields of one message.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    /// For errors.
    message: &'static str,
}

impl<'a> Reader<'a> {
    pub fn new(message: &'static str, bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, message }
    }

    /// The next field, or none at the end.
    pub fn field(&mut self) -> Result<Option<(u32, Wire<'a>)>, DecodeError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = self.tag()?;
        let wire = match wire_type {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(self.fixed64()?),
            2 => Wire::Bytes(self.length_delimited()?),
            3 => {
                self.skip_group()?;
                Wire::Other(3)
            }
            5 => {
                self.take(4)?;
                Wire::Other(5)
            }
            _ => return Err(self.illegal(u64::from(number), wire_type)),
        };
        Ok(Some((number, wire)))
    }

    fn tag(&mut self) -> Result<(u32, u8), DecodeError> {
        let tag = self.varint()?;
        let wire_type = (tag & 7) as u8;
        match u32::try_from(tag >> 3) {
            Ok(number) if number > 0 && number <= i32::MAX as u32 => Ok((number, wire_type)),
            _ => Err(self.illegal(tag >> 3, wire_type)),
        }
    }

    fn illegal(&self, number: u64, wire_type: u8) -> DecodeError {
        DecodeError::IllegalTag { message: self.message, number, wire_type }
    }

    fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for (index, &byte) in self.bytes.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.bytes = &self.bytes[index + 1..];
                return Ok(value);
            }
        }
        Err(if self.bytes.len() < 10 { DecodeError::Truncated } else { DecodeError::Overflow })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn fixed64(&mut self) -> Result<u64, DecodeError> {
        let bytes = self.take(8)?;
        Ok(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    fn length_delimited(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.varint()?;
        self.take(usize::try_from(length).map_err(|_| DecodeError::Truncated)?)
    }

    fn skip_group(&mut self) -> Result<(), DecodeError> {
        let mut open = 1_usize;
        while open > 0 {
            if self.bytes.is_empty() {
                return Err(DecodeError::Truncated);
            }
            let (number, wire_type) = self.tag()?;
            match wire_type {
                0 => drop(self.varint()?),
                1 => drop(self.take(8)?),
                2 => drop(self.length_delimited()?),
                3 => open += 1,
                4 => open -= 1,
                5 => drop(self.take(4)?),
                _ => return Err(self.illegal(u64::from(number), wire_type)),
            }
        }
        Ok(())
    }
}

/// Writes from the last byte to the first, so that the length of a message is known when its header is due and nothing is
/// measured twice.
#[derive(Default)]
pub(crate) struct Writer {
    /// The written bytes stand at the end, from `start` on.
    buffer: Vec<u8>,
    start: usize,
}

impl Writer {
    /// A writer for about this many bytes.
    pub fn with_capacity(capacity: usize) -> Writer {
        Writer { buffer: vec![0; capacity], start: capacity }
    }

    /// How many bytes are written.
    pub fn len(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// The written bytes.
    pub fn written(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Forgets what is written and keeps the memory.
    pub fn clear(&mut self) {
        self.start = self.buffer.len();
    }

    /// The written bytes, alone.
    pub fn finish(mut self) -> Vec<u8> {
        self.buffer.drain(..self.start);
        self.buffer
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        if bytes.len() > self.start {
            self.grow(bytes.len());
        }
        let end = self.start;
        self.start -= bytes.len();
        self.buffer[self.start..end].copy_from_slice(bytes);
    }

    fn grow(&mut self, needed: usize) {
        let length = self.len();
        let capacity = (self.buffer.len() * 2).max(length + needed).max(256);
        let mut buffer = vec![0; capacity];
        buffer[capacity - length..].copy_from_slice(self.written());
        self.start = capacity - length;
        self.buffer = buffer;
    }

    pub fn varint(&mut self, mut value: u64) {
        let mut encoded = [0; 10];
        let mut length = 0;
        loop {
            encoded[length] = (value & 0x7f) as u8;
            value >>= 7;
            length += 1;
            if value == 0 {
                break;
            }
            encoded[length - 1] |= 0x80;
        }
        self.bytes(&encoded[..length]);
    }

    pub fn tag(&mut self, number: u32, wire_type: u8) {
        self.varint(u64::from(number) << 3 | u64::from(wire_type));
    }

    /// The header of a message whose content began when `mark` bytes were written.
    pub fn header(&mut self, number: u32, mark: usize) {
        self.varint((self.len() - mark) as u64);
        self.tag(number, 2);
    }

    pub fn varint_field(&mut self, number: u32, value: u64) {
        self.varint(value);
        self.tag(number, 0);
    }

    pub fn bytes_field(&mut self, number: u32, bytes: &[u8]) {
        let mark = self.len();
        self.bytes(bytes);
        self.header(number, mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_backward_is_read_forward() {
        let mut writer = Writer::default();
        writer.varint_field(2047, u64::MAX);
        let long = vec![7; 1000];
        writer.bytes_field(16, &long);
        writer.varint_field(1, 300);
        assert_eq!(writer.written()[..3], [8, 0xac, 2]);
        let bytes = writer.finish();
        let mut reader = Reader::new("M", &bytes);
        assert_eq!(reader.field(), Ok(Some((1, Wire::Varint(300)))));
        assert_eq!(reader.field(), Ok(Some((16, Wire::Bytes(&long)))));
        assert_eq!(reader.field(), Ok(Some((2047, Wire::Varint(u64::MAX)))));
        assert_eq!(reader.field(), Ok(None));
    }

    #[test]
    fn broken_bytes_are_named() {
        let illegal = |number, wire_type| DecodeError::IllegalTag { message: "M", number, wire_type };
        let cases: [(&[u8], DecodeError); 11] = [
            (&[0x80], DecodeError::Truncated),
            (&[0x80; 10], DecodeError::Overflow),
            (&[8], DecodeError::Truncated),
            (&[9, 1, 2], DecodeError::Truncated),
            (&[10, 2, 1], DecodeError::Truncated),
            (&[10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], DecodeError::Truncated),
            (&[13, 1], DecodeError::Truncated),
            (&[0, 1], illegal(0, 0)),
            (&[12], illegal(1, 4)),
            (&[14], illegal(1, 6)),
            (&[11, 11, 12], DecodeError::Truncated),
        ];
        for (bytes, error) in cases {
            assert_eq!(Reader::new("M", bytes).field(), Err(error), "{bytes:?}");
        }
        assert_eq!(Reader::new("M", &[11, 19, 8, 1, 20, 12]).field(), Ok(Some((1, Wire::Other(3)))));
    }
}

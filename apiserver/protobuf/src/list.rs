use serde_json::Value;

use crate::encode::{Encoder, wrong_type};
use crate::envelope::Envelope;
use crate::error::EncodeError;
use crate::unknown_kind;
use crate::wire::Writer;
use schema::types::{Cardinality, Field, Message, Type, table};

/// A list's envelope, made from one item after the other, so that the whole list need not exist as a `Value`.
pub struct ListEncoder {
    api_version: String,
    list_kind: String,
    message: &'static Message,
    items: &'static Field,
    item: &'static Message,
    encoder: Encoder,
    /// The items so far, each with its header.
    body: Vec<u8>,
}

impl ListEncoder {
    /// Starts a list of the given apiVersion and list kind (`PodList`); a kind that is no list is unknown.
    pub fn new(api_version: &str, list_kind: &str) -> Result<ListEncoder, EncodeError> {
        let unknown = || unknown_kind(api_version, list_kind);
        let message = table().kind(api_version, list_kind).ok_or_else(unknown)?;
        let items = message.field_named("items").ok_or_else(unknown)?;
        let (Cardinality::Repeated, Type::Message(index)) = (items.cardinality, items.kind) else {
            return Err(unknown());
        };
        Ok(ListEncoder {
            api_version: api_version.to_owned(),
            list_kind: list_kind.to_owned(),
            message,
            items,
            item: table().message(index),
            encoder: Encoder::new(table(), Writer::default()),
            body: Vec::new(),
        })
    }

    /// Adds one item, whose apiVersion and kind are not looked at.
    pub fn push(&mut self, item: &Value) -> Result<(), EncodeError> {
        let object = item.as_object().ok_or_else(|| wrong_type("object", item))?;
        self.encoder.writer.clear();
        self.encoder.message(self.item, Some(object), 3)?;
        self.encoder.writer.header(self.items.number, 0);
        self.body.extend_from_slice(self.encoder.writer.written());
        Ok(())
    }

    /// Ends the list with its `metadata`.
    pub fn finish(mut self, metadata: &Value) -> Result<Vec<u8>, EncodeError> {
        let head = serde_json::Map::from_iter([("metadata".to_owned(), metadata.clone())]);
        self.encoder.writer.clear();
        // Here no item is set: fields may stand in any order, and the items follow.
        self.encoder.message(self.message, Some(&head), 1)?;
        let envelope = Envelope { api_version: &self.api_version, kind: &self.list_kind, raw: &[] };
        let raw_length = self.encoder.writer.len() + self.body.len();
        envelope.write_head(&mut self.encoder.writer, raw_length);
        let head = self.encoder.writer.written();
        let mut bytes = Vec::with_capacity(head.len() + self.body.len() + Envelope::TAIL.len());
        bytes.extend_from_slice(head);
        bytes.extend_from_slice(&self.body);
        bytes.extend_from_slice(Envelope::TAIL);
        Ok(bytes)
    }
}

//! The schema of a definition's version: its text, and what it is compiled to once somebody needs that.

use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;
use parking_lot::Mutex;
use schema::Schema;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// An `openAPIV3Schema` that was accepted with its definition. It stays text, a part of the bytes that the cache holds of the
/// definition anyway, and is compiled when the first object asks: of many definitions most are never used.
pub struct CustomSchema {
    text: Mutex<Bytes>,
    digest: OnceLock<[u8; 32]>,
    compiled: Mutex<Compiled>,
}

#[derive(Default)]
struct Compiled {
    schema: Option<Schema>,
    /// Since the last [`CustomSchema::rest`].
    used: bool,
}

impl CustomSchema {
    /// One that is compiled when first asked for.
    pub fn new(text: Bytes) -> Self {
        Self { text: Mutex::new(text), digest: OnceLock::new(), compiled: Mutex::default() }
    }

    /// The `openAPIV3Schema` as JSON.
    pub fn text(&self) -> Bytes {
        self.text.lock().clone()
    }

    /// Keeps the same text where it stands in newer bytes, so that the older ones can go.
    pub(crate) fn move_to(&self, text: &Bytes) {
        *self.text.lock() = text.clone();
    }

    /// The `openAPIV3Schema`, parsed on each call.
    pub fn value(&self) -> Value {
        // The text was read as JSON once, when the definition was.
        apimachinery::json::parse(&self.text()).unwrap_or_default()
    }

    /// The SHA-256 of the text.
    pub fn digest(&self) -> &[u8; 32] {
        self.digest.get_or_init(|| Sha256::digest(self.text()).into())
    }

    /// The compiled schema.
    pub fn compiled(&self) -> Schema {
        let mut compiled = self.compiled.lock();
        compiled.used = true;
        compiled.schema.get_or_insert_with(|| Schema::of_crd(&self.value())).clone()
    }

    /// Lets go of the compiled schema if nobody has asked for it since the last call: it takes several times what the text
    /// does, and little time to make again.
    pub(super) fn rest(&self) {
        let mut compiled = self.compiled.lock();
        if !std::mem::take(&mut compiled.used) {
            compiled.schema = None;
        }
    }
}

impl fmt::Debug for CustomSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomSchema").field("bytes", &self.text().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_asks_for_between_two_rests_is_let_go_and_made_again() {
        let schema = CustomSchema::new(Bytes::from_static(br#"{"type":"object"}"#));
        let is_compiled = || schema.compiled.lock().schema.is_some();
        assert!(!is_compiled(), "it is compiled before anybody asks");
        for _ in 0..2 {
            schema.compiled();
            schema.rest();
            assert!(is_compiled(), "it was in use");
            schema.compiled();
            schema.rest();
            schema.rest();
            assert!(!is_compiled());
        }
    }
}

//! What else a list is asked with, and what its columns are.

use apimachinery::{continue_token, jsonpath};

use crate::{parts, value};

/// `continue`: what is accepted stays below the prefix, and what is written for it is read as the same.
pub fn continue_token(data: &[u8]) {
    const PREFIX: &str = "/registry/secrets/ns/";
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok((key, revision)) = continue_token::decode(text, PREFIX) else { return };
    let below = key.strip_prefix(PREFIX).expect("a key below the prefix");
    assert!(below.split('/').all(|part| !matches!(part, "." | "..")), "{key:?}");
    // A lone slash names the prefix itself.
    if let (Some(revision), false) = (revision, below.is_empty()) {
        let written = continue_token::encode(&key, PREFIX, revision).expect("a token");
        assert_eq!(continue_token::decode(&written, PREFIX), Ok((key, Some(revision))));
    }
}

/// A printer column's path, and an object. The first value found is the first of all, each a part of the object.
pub fn jsonpath(data: &[u8]) {
    let Some([path, object]) = parts(data) else { return };
    let (Ok(path), Some(object)) = (std::str::from_utf8(path), value(object)) else { return };
    let Some(path) = jsonpath::Path::parse(path) else { return };
    let all = path.all(&object);
    match path.first(&object) {
        Some(first) => assert!(all.first().is_some_and(|of_all| std::ptr::eq(*of_all, first))),
        None => assert!(all.is_empty()),
    }
}

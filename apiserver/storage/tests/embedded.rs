//! The embedded store keeps every promise of a [`Storage`].

use std::sync::Arc;

use storage::Storage;
use storage::embedded::{Embedded, Options};
use tempfile::TempDir;

async fn open() -> Option<(Arc<dyn Storage>, TempDir)> {
    let folder = TempDir::new().expect("a temporary folder");
    let store = Embedded::open(folder.path().join("store"), Options::default()).expect("a new store opens");
    Some((Arc::new(store), folder))
}

storage::test_storage!(open);

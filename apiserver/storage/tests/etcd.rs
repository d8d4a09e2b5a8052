//! The etcd store keeps every promise of a [`Storage`], over a real etcd.

mod etcd_server;

use std::sync::Arc;

use etcd_server::EtcdServer;
use storage::Storage;
use storage::etcd::{Etcd, Options};

async fn open() -> Option<(Arc<dyn Storage>, EtcdServer)> {
    let server = EtcdServer::start().await?;
    let store = Etcd::connect(Options::new([server.url()])).await.expect("a store over the new etcd");
    Some((Arc::new(store), server))
}

storage::test_storage!(open);

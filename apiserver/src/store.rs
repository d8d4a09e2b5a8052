//! Opens the store that the options name.

use std::sync::Arc;
use std::time::Duration;

use storage::Storage;
use storage::embedded::{self, Embedded};
use storage::etcd::{self, Etcd};

use crate::config::Config;
use crate::error::Error;

/// How long etcd may take to answer at the start. Less than upstream's 20 s: whoever starts this is watching.
const CONNECT: Duration = Duration::from_secs(5);

/// The store: etcd if there are servers, else the embedded one.
pub async fn open(config: &Config) -> Result<Arc<dyn Storage>, Error> {
    let options = config.options();
    if options.etcd_servers.is_empty() {
        let store = Embedded::open(config.store_file(), embedded::Options::default());
        return Ok(Arc::new(store.map_err(|e| Error::Storage(e.to_string()))?));
    }
    let tls = etcd::Tls {
        ca_file: options.etcd_cafile.clone(),
        cert_file: options.etcd_certfile.clone(),
        key_file: options.etcd_keyfile.clone(),
    };
    let store =
        Etcd::connect(etcd::Options { tls, connect_timeout: CONNECT, ..etcd::Options::new(&options.etcd_servers) });
    Ok(Arc::new(store.await.map_err(|e| Error::Storage(e.to_string()))?))
}

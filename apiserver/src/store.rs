//! Opens the store that the options name.

use std::sync::Arc;

use storage::Storage;
use storage::embedded::{self, Embedded};
use storage::etcd::{self, Etcd};

use crate::config::Config;
use crate::error::Error;
use crate::files;

/// The store: etcd if there are servers, else the embedded one.
pub async fn open(config: &Config) -> Result<Arc<dyn Storage>, Error> {
    let options = config.options();
    if options.etcd_servers.is_empty() {
        let store = Embedded::open(&config.store_file(), embedded::Options::default());
        return Ok(Arc::new(store.map_err(|e| Error::Storage(e.to_string()))?));
    }
    let read = |path: &Option<std::path::PathBuf>| path.as_deref().map(files::read).transpose();
    let tls = etcd::TlsOptions {
        ca: read(&options.etcd_cafile)?,
        certificate: read(&options.etcd_certfile)?,
        key: read(&options.etcd_keyfile)?,
    };
    let store = Etcd::connect(etcd::Options { endpoints: options.etcd_servers.clone(), tls, ..etcd::Options::default() });
    Ok(Arc::new(store.await.map_err(|e| Error::Storage(e.to_string()))?))
}

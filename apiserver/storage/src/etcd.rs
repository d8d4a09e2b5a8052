//! The store for several servers: etcd, version 3.5.13 or later (older ones answer progress requests wrongly).

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Got, ListOptions, Listed, Outcome, Result, Revision, Storage, Watch};

/// Where etcd is and how to talk to it.
#[derive(Clone, Debug)]
pub struct Options {
    /// URLs, e.g. `https://10.0.0.1:2379`; those without a scheme are http.
    pub endpoints: Vec<String>,
    /// For `https` endpoints.
    pub tls: Tls,
    /// How long the first connection may take (upstream: 20 s).
    pub connect_timeout: Duration,
    /// How long a request may take.
    pub request_timeout: Duration,
}

/// Files in PEM form.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// The authorities that etcd's certificate must come from.
    pub ca_file: Option<PathBuf>,
    /// This client's certificate; needs `key_file`.
    pub cert_file: Option<PathBuf>,
    /// The key of `cert_file`.
    pub key_file: Option<PathBuf>,
}

impl Options {
    /// Plain defaults for these endpoints.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            tls: Tls::default(),
            connect_timeout: Duration::from_secs(20),
            request_timeout: Duration::from_secs(30),
        }
    }
}

/// Why etcd could not be reached or used; each is one line for the person who started the server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The options contradict each other or name an unreadable file.
    #[error("etcd options: {0}")]
    Options(String),
    /// No endpoint answered.
    #[error("etcd cannot be reached at {endpoints}: {detail}")]
    Unreachable {
        /// The endpoints tried.
        endpoints: String,
        /// The last failure.
        detail: String,
    },
}

/// A store in etcd. The prefix of all keys is the caller's business.
pub struct Etcd {}

impl Etcd {
    /// Connects, and waits until an endpoint has answered a read.
    pub async fn connect(_options: Options) -> Result<Self, ConnectError> {
        todo!()
    }
}

#[async_trait]
impl Storage for Etcd {
    async fn get(&self, _key: &[u8]) -> Result<Got> {
        todo!()
    }
    async fn list(&self, _prefix: &[u8], _options: ListOptions) -> Result<Listed> {
        todo!()
    }
    async fn compare_and_put(
        &self,
        _key: &[u8],
        _expected: Revision,
        _value: Bytes,
        _ttl: Option<Duration>,
    ) -> Result<Outcome> {
        todo!()
    }
    async fn compare_and_delete(&self, _key: &[u8], _expected: Revision) -> Result<Outcome> {
        todo!()
    }
    async fn watch(&self, _prefix: &[u8], _after: Revision) -> Result<Watch> {
        todo!()
    }
    async fn current_revision(&self) -> Result<Revision> {
        todo!()
    }
    async fn compact(&self, _revision: Revision) -> Result<()> {
        todo!()
    }
    async fn check(&self) -> Result<()> {
        todo!()
    }
}

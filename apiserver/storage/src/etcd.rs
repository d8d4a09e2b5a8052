//! The store for several servers: etcd, version 3.5.13 or later (older ones answer progress requests wrongly).
//!
//! Conditional writes are transactions that compare the key's `mod_revision`; the branch not taken reads the key. A
//! watch whose stream breaks goes on from the last event it brought, and ends only where history is gone or etcd
//! stays away.

mod call;
mod channel;
mod connect;
mod failure;
mod lease;
mod present;
mod watch_feed;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use etcd_client::{Compare, CompareOp, GetOptions, GetResponse, PutOptions, Txn, TxnOp, TxnOpResponse, TxnResponse};

use crate::{Error, Got, KeyValue, ListOptions, Listed, Outcome, Result, Revision, Storage, Watch, prefix};
use call::{Caller, Repeat};
use failure::Failure;
use lease::Leases;
use present::PresentRevision;

pub use connect::ConnectError;

/// Where etcd is and how to talk to it.
#[derive(Clone, Debug)]
pub struct Options {
    /// URLs, e.g. `https://10.0.0.1:2379`; those without a scheme are http, or https if `tls` names files.
    pub endpoints: Vec<String>,
    /// For `https` endpoints.
    pub tls: Tls,
    /// How long the first connection may take (upstream: 20 s).
    pub connect_timeout: Duration,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How long the request of a health check may take (upstream: 2 s).
    pub check_timeout: Duration,
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
            check_timeout: Duration::from_secs(2),
        }
    }
}

/// How many pairs one request reads where a list has no limit of its own.
const PAGE: usize = 5000;

/// A store in etcd. The prefix of all keys is the caller's business.
pub struct Etcd {
    caller: Caller,
    kv: etcd_client::KvClient,
    watches: etcd_client::WatchClient,
    leases: Leases,
    present: PresentRevision,
    check_timeout: Duration,
}

impl Etcd {
    /// Connects, and waits until an endpoint has answered a read.
    pub async fn connect(options: Options) -> Result<Self, ConnectError> {
        let client = connect::client(&options).await?;
        let caller = Caller::new(options.endpoints.len(), options.request_timeout);
        let kv = client.kv_client().max_decoding_message_size(usize::MAX);
        let store = Self {
            caller,
            present: PresentRevision::new({
                let kv = kv.clone();
                move || current_revision(kv.clone(), caller)
            }),
            kv,
            watches: client.watch_client().max_decoding_message_size(usize::MAX),
            leases: Leases::new(client.lease_client(), caller),
            check_timeout: options.check_timeout,
        };
        connect::wait(&store, client, &options).await?;
        Ok(store)
    }

    /// A read that needs the whole of etcd, within the time of a health check.
    async fn ping(&self) -> Result<(), Failure> {
        let read = self.range(b"health", GetOptions::new().with_count_only());
        let answer = tokio::time::timeout(self.check_timeout, read).await;
        answer.map_err(|_| Failure::Other(Error::Timeout))?.map(drop)
    }

    async fn range(&self, key: &[u8], options: GetOptions) -> Result<GetResponse, Failure> {
        range(&self.kv, self.caller, key, options).await
    }

    /// Reads at `options.revision`, and says so if etcd no longer, or not yet, has it.
    async fn range_at(&self, key: &[u8], options: GetOptions, revision: Option<Revision>) -> Result<GetResponse> {
        match self.range(key, options).await {
            Err(Failure::Compacted) => Err(Error::Compacted { requested: revision.unwrap_or_default(), compacted: 0 }),
            Err(Failure::Future) => self.future(revision.unwrap_or_default()).await,
            other => other.map_err(Failure::into_error),
        }
    }

    /// The error of a revision that is not reached.
    async fn future<T>(&self, requested: Revision) -> Result<T> {
        let current = self.current_revision().await?;
        Err(Error::FutureRevision { requested, current })
    }

    /// Does `then` if the key's `mod_revision` is `expected`, else reads it.
    async fn compare(&self, key: &[u8], expected: Revision, then: TxnOp) -> Result<Outcome, Failure> {
        let transaction = Txn::new()
            .when([Compare::mod_revision(key, CompareOp::Equal, number(expected))])
            .and_then([then])
            .or_else([TxnOp::get(key, None)]);
        let commit = || {
            let (mut kv, transaction) = (self.kv.clone(), transaction.clone());
            async move { kv.txn(transaction).await }
        };
        outcome(&self.caller.call(Repeat::IfUnsent, commit).await?)
    }
}

#[async_trait]
impl Storage for Etcd {
    async fn get(&self, key: &[u8]) -> Result<Got> {
        let mut response = self.range(key, GetOptions::new()).await.map_err(Failure::into_error)?;
        got(&mut response).map_err(Failure::into_error)
    }

    async fn list(&self, prefix: &[u8], options: ListOptions) -> Result<Listed> {
        let mut at = options.revision.filter(|&revision| revision != 0);
        let end = prefix::end(prefix);
        let mut start = options.start.as_deref().map_or(prefix, |start| start.max(prefix)).to_vec();
        // A start beyond the prefix reads nothing, but the revision is still found out and checked.
        let nothing = end.as_ref().is_some_and(|end| start >= *end);
        if nothing {
            start = prefix.to_vec();
        }
        let range_end = end.unwrap_or_else(|| b"\0".to_vec());
        let mut kvs: Vec<KeyValue> = Vec::new();
        loop {
            let wanted = if options.limit == 0 { usize::MAX } else { options.limit - kvs.len() };
            let limit = wanted.min(PAGE);
            let request = GetOptions::new().with_range(range_end.clone()).with_revision(at.map_or(0, number));
            let request = if nothing {
                request.with_count_only()
            } else {
                request.with_limit(i64::try_from(limit).unwrap_or(i64::MAX))
            };
            let mut response = self.range_at(&start, request, at).await?;
            let revision = match at {
                Some(revision) => revision,
                None => header(response.header()).map_err(Failure::into_error)?,
            };
            if nothing {
                return Ok(Listed { revision, kvs, remaining: 0 });
            }
            at = Some(revision);
            let read = response.kvs().len();
            let remaining = u64::try_from(response.count()).unwrap_or(0).saturating_sub(read as u64);
            kvs.extend(response.take_kvs().into_iter().map(pair));
            if remaining == 0 || read == 0 || kvs.len() == options.limit {
                return Ok(Listed { revision, kvs, remaining });
            }
            if let Some(last) = kvs.last() {
                start = [&last.key[..], b"\0"].concat();
            }
        }
    }

    async fn compare_and_put(
        &self,
        key: &[u8],
        expected: Revision,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Result<Outcome> {
        let size = key.len() + value.len();
        let mut attempts = 0;
        loop {
            let lease = match ttl {
                Some(ttl) => Some(self.leases.get(ttl).await.map_err(Failure::into_error)?),
                None => None,
            };
            let options = lease.map(|lease| PutOptions::new().with_lease(lease));
            attempts += 1;
            match self.compare(key, expected, TxnOp::put(key, value.clone(), options)).await {
                Err(Failure::LeaseNotFound) if attempts == 1 => self.leases.forget().await,
                Err(Failure::TooLarge) => return Err(Error::TooLarge { size, limit: failure::DEFAULT_LIMIT }),
                other => return other.map_err(Failure::into_error),
            }
        }
    }

    async fn compare_and_delete(&self, key: &[u8], expected: Revision) -> Result<Outcome> {
        // To etcd a missing key has mod_revision 0, and deleting it is a success that changes nothing.
        if expected == 0 {
            return Ok(Outcome::Mismatch(self.get(key).await?));
        }
        self.compare(key, expected, TxnOp::delete(key, None)).await.map_err(Failure::into_error)
    }

    async fn watch(&self, prefix: &[u8], after: Revision) -> Result<Watch> {
        watch_feed::start(self.watches.clone(), self.caller, prefix, after, true).await
    }

    async fn follow(&self, prefix: &[u8], after: Revision) -> Result<Watch> {
        watch_feed::start(self.watches.clone(), self.caller, prefix, after, false).await
    }

    async fn current_revision(&self) -> Result<Revision> {
        self.present.get().await
    }

    async fn compact(&self, revision: Revision) -> Result<()> {
        let compact = || {
            let mut kv = self.kv.clone();
            async move { kv.compact(number(revision), None).await }
        };
        match self.caller.call(Repeat::Always, compact).await {
            // It was done before, perhaps by another server.
            Ok(_) | Err(Failure::Compacted) => Ok(()),
            Err(Failure::Future) => self.future(revision).await,
            Err(failure) => Err(failure.into_error()),
        }
    }

    async fn check(&self) -> Result<()> {
        self.ping().await.map_err(Failure::into_error)
    }
}

async fn range(
    kv: &etcd_client::KvClient,
    caller: Caller,
    key: &[u8],
    options: GetOptions,
) -> Result<GetResponse, Failure> {
    let key = if key.is_empty() { b"\0".to_vec() } else { key.to_vec() };
    let get = || {
        let (mut kv, key, options) = (kv.clone(), key.clone(), options.clone());
        async move { kv.get(key, Some(options)).await }
    };
    caller.call(Repeat::Always, get).await
}

/// A linearizable read of next to nothing tells the revision.
async fn current_revision(kv: etcd_client::KvClient, caller: Caller) -> Result<Revision> {
    let options = GetOptions::new().with_count_only();
    let response = range(&kv, caller, b"compact_rev_key", options).await.map_err(Failure::into_error)?;
    header(response.header()).map_err(Failure::into_error)
}

/// As etcd counts. What is beyond its numbers is beyond its revisions.
fn number(revision: Revision) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

/// As we count.
fn revision(number: i64) -> Revision {
    Revision::try_from(number).unwrap_or_default()
}

fn header(header: Option<&etcd_client::ResponseHeader>) -> Result<Revision, Failure> {
    header.map(|header| revision(header.revision())).ok_or_else(|| Failure::Other(no_header()))
}

fn no_header() -> Error {
    Error::Corrupt("etcd answered without a header".to_owned())
}

fn pair(kv: etcd_client::KeyValue) -> KeyValue {
    let mod_revision = revision(kv.mod_revision());
    let (key, value) = kv.into_key_value();
    KeyValue { key: key.into(), value: value.into(), mod_revision }
}

fn got(response: &mut GetResponse) -> Result<Got, Failure> {
    Ok(Got { revision: header(response.header())?, kv: response.take_kvs().pop().map(pair) })
}

fn outcome(response: &TxnResponse) -> Result<Outcome, Failure> {
    let at = header(response.header())?;
    if response.succeeded() {
        return Ok(Outcome::Done(at));
    }
    let kv = match response.op_responses().pop() {
        Some(TxnOpResponse::Get(mut response)) => response.take_kvs().pop().map(pair),
        _ => None,
    };
    Ok(Outcome::Mismatch(Got { revision: at, kv }))
}

//! Connections to webhooks that are kept for the next call.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;

/// How many idle connections are kept to one webhook, and how long.
const MAX_IDLE: usize = 25;
const IDLE: Duration = Duration::from_secs(90);

/// What makes connections interchangeable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Where it connects to.
    pub address: (String, u16),
    /// Whom it expects there.
    pub server_name: String,
    /// Whom it believes.
    pub ca_bundle: String,
}

pub(super) type Connection = SendRequest<Full<Bytes>>;

/// Idle connections.
#[derive(Default)]
pub(super) struct Pool(Mutex<HashMap<Key, Vec<(Connection, Instant)>>>);

impl Pool {
    /// The connection that was used last, if there is one that lives.
    pub fn take(&self, key: &Key) -> Option<Connection> {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = pool.get_mut(key)?;
        while let Some((connection, since)) = idle.pop() {
            if !connection.is_closed() && since.elapsed() < IDLE {
                return Some(connection);
            }
        }
        pool.remove(key);
        None
    }

    /// Keeps a connection whose last answer was read to its end.
    pub fn put(&self, key: Key, connection: Connection) {
        if connection.is_closed() {
            return;
        }
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pool.retain(|_, idle| {
            idle.retain(|(connection, since)| !connection.is_closed() && since.elapsed() < IDLE);
            !idle.is_empty()
        });
        let idle = pool.entry(key).or_default();
        if idle.len() < MAX_IDLE {
            idle.push((connection, Instant::now()));
        }
    }
}

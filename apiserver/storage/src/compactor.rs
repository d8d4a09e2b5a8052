//! Forgets history that is older than an interval, once an interval, over all servers of one store.
//!
//! Upstream's rule (k8s.io/apiserver storage/etcd3/compact.go), so that both kinds of server can share an etcd: the key
//! `compact_rev_key` holds the revision of the last compaction. Every interval each server tries to replace the
//! key as it last saw it by the revision it noted one interval ago; the one that succeeds compacts to that revision.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::{Outcome, Result, Revision, Storage};

const KEY: &[u8] = b"compact_rev_key";

/// What a server remembers from one interval to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The key's `mod_revision` when this server last saw it; 0 if it never did.
    seen: Revision,
    /// The store's revision then; 0 before the first round.
    noted: Revision,
}

/// Compacts `storage` every `interval` to where it was one interval before, until `stop`. An interval of zero never
/// compacts. Failures are logged and tried again an interval later.
pub async fn run(storage: Arc<dyn Storage>, interval: Duration, stop: CancellationToken) {
    if interval.is_zero() {
        return;
    }
    let mut memory = Memory::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
        match round(storage.as_ref(), &mut memory).await {
            Ok(Some(revision)) => tracing::debug!(revision, "compacted the store"),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "could not compact the store"),
        }
    }
}

/// One interval's turn: the revision that this server compacted to, or `None` if another server did, or if nothing is
/// known yet to be old.
pub async fn round(storage: &dyn Storage, memory: &mut Memory) -> Result<Option<Revision>> {
    let old = memory.noted;
    match storage.compare_and_put(KEY, memory.seen, Bytes::from(old.to_string()), None).await? {
        Outcome::Done(revision) => {
            *memory = Memory { seen: revision, noted: revision };
            if old == 0 {
                return Ok(None);
            }
            storage.compact(old).await?;
            Ok(Some(old))
        }
        Outcome::Mismatch(got) => {
            *memory = Memory { seen: got.kv.map_or(0, |kv| kv.mod_revision), noted: got.revision };
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;
    use crate::embedded::{Embedded, Options};
    use crate::{Error, Event, ListOptions};

    #[tokio::test]
    async fn what_is_older_than_an_interval_is_forgotten() {
        let folder = tempfile::TempDir::new().unwrap();
        let store: Arc<dyn Storage> =
            Arc::new(Embedded::open(folder.path().join("store"), Options::default()).unwrap());
        let Outcome::Done(old) = store.compare_and_put(b"/a", 0, "1".into(), None).await.unwrap() else {
            panic!("a lost compare")
        };
        store.compare_and_put(b"/a", old, "2".into(), None).await.unwrap();
        let mut rounds = store.watch(KEY, old).await.unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(store.clone(), Duration::from_millis(5), stop.clone()));
        let mut noted = Vec::new();
        loop {
            let Some(Ok(Event::Put { kv, .. })) = rounds.events.next().await else { panic!("the watch goes on") };
            noted.push(String::from_utf8_lossy(&kv.value).into_owned());
            match store.list(b"/", ListOptions { revision: Some(old), ..Default::default() }).await {
                Ok(listed) => assert_eq!(listed.kvs[0].value, "1"),
                Err(Error::Compacted { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(noted[0], "0", "the first round only takes note");
        assert!(noted.len() > 1, "{noted:?}");
        stop.cancel();
        running.await.expect("it stops when told to");
        run(store, Duration::ZERO, CancellationToken::new()).await;
    }
}

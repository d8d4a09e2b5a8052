//! Lists and gets.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Cacher;
use super::feed::Command;
use super::read::{At, Freshness, Got, ListRequest, Listed};
use super::snapshot::{KeyRange, Snapshot, key_after, object_key};
use crate::{Error, ListOptions, Result, Revision};

/// So many pairs are read at once where a predicate leaves open how many are needed.
const STORE_PAGE: usize = 500;

impl Cacher {
    /// Reads objects; see [`ListRequest`]. [`crate::Error::Corrupt`] if an object that the page covers cannot be
    /// decoded, as upstream's lists fail then: to leave it out would tell a controller that it is gone.
    pub async fn list(&self, request: ListRequest) -> Result<Listed> {
        let (snapshot, paged) = match request.at {
            At::Newest(freshness) => (self.fresh(freshness).await?, false),
            At::Exact(revision) => match self.exact(revision).await? {
                Some(snapshot) => (snapshot, request.start.is_some()),
                None => {
                    self.inner.counters.lists_from_store.add(1);
                    return self.list_from_store(&request, revision).await;
                }
            },
        };
        self.inner.counters.lists_from_cache.add(1);
        let listed = snapshot.list(&request, &self.inner.config.prefix)?;
        if listed.next.is_some() || paged {
            self.inner.pinned.put(&snapshot);
        }
        Ok(listed)
    }

    /// Reads one object. A consistent read is answered by the store where the cache does not catch up with it soon.
    pub async fn get(&self, namespace: &str, name: &str, freshness: Freshness) -> Result<Got> {
        let key = object_key(&self.inner.config.prefix, namespace, name);
        if freshness != Freshness::Consistent {
            let snapshot = self.fresh(freshness).await?;
            return Ok(Got { revision: snapshot.revision, entry: snapshot.get(&key)? });
        }
        self.start();
        if let Some(state) = self.inner.published.snapshot() {
            let present = match self.inner.storage.local_revision() {
                Some(present) => Some(present).filter(|&present| state.revision >= present),
                None => Some(self.inner.storage.current_revision().await?),
            };
            if let Some(present) = present
                && let Some(state) = self.inner.published.soon(present, self.inner.config.catch_up_timeout).await
            {
                return Ok(Got { revision: state.revision, entry: state.get(&key)? });
            }
        }
        let got = self.inner.storage.get(key.as_bytes()).await?;
        let newest = self.inner.published.snapshot();
        let known = newest.as_ref().and_then(|newest| newest.entries.get(&*key));
        let entry = got.kv.and_then(|kv| self.inner.ingest.entry(&kv, known));
        let state = Snapshot::new(got.revision, entry.map(|entry| (entry.key().clone(), entry)).into_iter().collect());
        Ok(Got { revision: got.revision, entry: state.get(&key)? })
    }

    /// The newest state, once it is new enough.
    pub(super) async fn fresh(&self, freshness: Freshness) -> Result<Arc<Snapshot>> {
        self.start();
        let revision = match freshness {
            Freshness::Any => 0,
            Freshness::NotOlderThan(revision) => revision,
            Freshness::Consistent => self.present_revision().await?,
        };
        self.reach(revision).await
    }

    /// The newest state, once it is at `revision` or later.
    async fn reach(&self, revision: Revision) -> Result<Arc<Snapshot>> {
        let config = &self.inner.config;
        self.inner.published.wait(revision, config.start_timeout, config.fresh_timeout).await
    }

    /// A revision at least as new as every write acknowledged before the call.
    pub(super) async fn present_revision(&self) -> Result<Revision> {
        match self.inner.storage.local_revision() {
            Some(revision) => Ok(revision),
            None => self.inner.storage.current_revision().await,
        }
    }

    /// The state at `revision`; `None` if the history does not reach back to it.
    async fn exact(&self, revision: Revision) -> Result<Option<Arc<Snapshot>>> {
        self.start();
        let newest = self.reach(revision).await?;
        if newest.revision == revision {
            return Ok(Some(newest));
        }
        if let Some(pinned) = self.inner.pinned.get(revision) {
            return Ok(Some(pinned));
        }
        let (answer, answered) = oneshot::channel();
        let since = self.ask(Command::Since(revision, answer), answered).await?;
        Ok(since.map(|(newest, events)| Arc::new(newest.rewind(revision, &events))))
    }

    /// Answers `request` from the store's state at `revision`.
    async fn list_from_store(&self, request: &ListRequest, revision: Revision) -> Result<Listed> {
        let range = KeyRange::of(&request.scope, &self.inner.config.prefix);
        let prefix = range.low.clone();
        let mut start = request.start.clone();
        let mut listed = Listed { revision, entries: Vec::new(), next: None, remaining: Some(0) };
        loop {
            let wanted = match request.limit {
                0 => 0,
                _ if request.predicate.is_some() => STORE_PAGE,
                limit => limit - listed.entries.len(),
            };
            let options = ListOptions {
                revision: Some(revision),
                start: start.take().map(|start| String::from(start).into()),
                limit: wanted,
                uncounted: request.predicate.is_some(),
            };
            let page = self.inner.storage.list(prefix.as_bytes(), options).await?;
            let mut unread = page.remaining + page.kvs.len() as u64;
            for kv in &page.kvs {
                unread -= 1;
                let Some(entry) = self.inner.ingest.entry(kv, None).filter(|entry| range.contains(entry.key())) else {
                    continue;
                };
                if let Some(reason) = entry.corrupt() {
                    return Err(Error::Corrupt(format!("unable to decode the value of {:?}: {reason}", entry.key())));
                }
                start = Some(key_after(entry.key()));
                if request.predicate.as_ref().is_none_or(|predicate| predicate(&entry)) {
                    listed.entries.push(entry);
                    if listed.entries.len() == request.limit && unread > 0 {
                        listed.next = start;
                        listed.remaining = request.predicate.is_none().then_some(unread);
                        return Ok(listed);
                    }
                }
            }
            if page.remaining == 0 || page.kvs.is_empty() {
                return Ok(listed);
            }
        }
    }
}

//! watch: changes of a collection from a revision on.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use apimachinery::quote::go_json_bytes;
use apimachinery::{ObjectExt, StatusError};
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};
use serde_json::{Value, json};
use storage::cacher::{Delivery, Entry, Freshness, Kind, Start, WatchRequest};
use tokio::time::Instant;

use super::get::cached_revision_of;
use super::list::select;
use super::selection::Criteria;
use crate::conversion::{Stored, serve_without_call};
use crate::options::ListOptions;
use crate::registry::Registry;
use crate::served::{EventKind, Served, WatchEvent, WatchStream};
use crate::store::Store;
use crate::table::Row;
use crate::{RequestContext, Target, storage_error};

impl Registry {
    /// The changes of a collection, or of one object where `target.name` is set.
    ///
    /// # Errors
    /// 400 for selectors that make no sense, 410 for a start that is compacted, 504 for one not reached.
    pub async fn watch(
        self: &Arc<Self>,
        _ctx: &RequestContext,
        target: &Target,
        options: &ListOptions,
    ) -> Result<WatchStream, StatusError> {
        let store = self.store_of(target)?;
        let selection = select(&store, target, options)?;
        let request = WatchRequest {
            scope: selection.scope,
            // What a webhook makes of an object is what selectors see of it.
            predicate: selection
                .criteria
                .clone()
                .filter(|_| !target.row.asks_a_webhook())
                .map(Criteria::into_predicate),
            index_value: selection.index_value,
            start: start(options)?,
            bookmarks: options.allow_watch_bookmarks,
            deadline: options.timeout.map(|timeout| Instant::now() + timeout),
        };
        let initial_events_asked = options.send_initial_events == Some(true);
        let events = match store.cacher(self.backing()).watch(request).await {
            Ok(events) => events,
            // Upstream has said 200 by then: the first event tells.
            Err(error @ storage::Error::Compacted { .. }) if !initial_events_asked => {
                let event = error_event(&storage_error::watch(&error, target));
                return Ok(futures::stream::iter([event]).boxed());
            }
            Err(error) => return Err(storage_error::watch(&error, target)),
        };
        let row = target.row.clone();
        let conversion = row.asks_a_webhook().then(|| Conversion {
            converting: Arc::new(Converting {
                registry: self.clone(),
                store,
                row: row.clone(),
                criteria: selection.criteria,
            }),
            running: None,
        });
        let as_stored = !row.is_custom() && row.serves_as_stored();
        let (target, ended) = (target.clone(), false);
        Ok(Watched { events, target, as_stored, conversion: conversion.map(Box::new), ended }.boxed())
    }
}

/// The cache's events as the row shows them, up to the first error.
struct Watched {
    events: storage::cacher::WatchStream,
    target: Target,
    /// All objects are shown as the cache has them. Asked once: to compare the names again for each event took a fortieth of
    /// what an event takes.
    as_stored: bool,
    /// On the heap: few watches wait for a webhook, and all would have room for it.
    conversion: Option<Box<Conversion>>,
    /// A watcher that was not told of an event because of an error is told of none after it.
    ended: bool,
}

/// Events that a webhook converts, one after the other.
struct Conversion {
    converting: Arc<Converting>,
    running: Option<BoxFuture<'static, Option<WatchEvent>>>,
}

impl Watched {
    /// The next event to show; none where the one at hand is not shown.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Option<WatchEvent>>> {
        if let Some(conversion) = &mut self.conversion
            && let Some(running) = &mut conversion.running
        {
            let event = ready!(running.as_mut().poll(context));
            conversion.running = None;
            return Poll::Ready(Some(event));
        }
        let Some(event) = ready!(self.events.poll_next_unpin(context)) else { return Poll::Ready(None) };
        Poll::Ready(Some(match (event, &mut self.conversion) {
            (Ok(delivery), Some(conversion)) if delivery.kind() != Kind::Bookmark => {
                let converting = conversion.converting.clone();
                conversion.running = Some(async move { converting.event_of(&delivery).await }.boxed());
                None
            }
            (Ok(delivery), _) => Some(event_of(delivery, &self.target.row, self.as_stored)),
            // The client resumes where it was; upstream ends the stream without a word, too.
            (Err(storage::Error::Lagged), _) => None,
            (Err(error), _) => Some(error_event(&storage_error::watch(&error, &self.target))),
        }))
    }
}

impl Stream for Watched {
    type Item = WatchEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        while !self.ended {
            match ready!(self.poll_event(context)) {
                Some(Some(event)) => {
                    self.ended = event.kind == EventKind::Error;
                    return Poll::Ready(Some(event));
                }
                Some(None) => {}
                None => self.ended = true,
            }
        }
        Poll::Ready(None)
    }
}

fn start(options: &ListOptions) -> Result<Start, StatusError> {
    let revision = match options.resource_version.as_str() {
        "" => None,
        text => Some(cached_revision_of(text)?),
    };
    Ok(match (options.send_initial_events, revision) {
        // A watch that says nothing at no revision, or at "0", gets the state first: upstream's default since 1.34.
        (Some(true) | None, None) => Start::InitialEvents(Freshness::Consistent),
        (Some(true) | None, Some(0)) => Start::InitialEvents(Freshness::Any),
        (Some(true), Some(revision)) => Start::InitialEvents(Freshness::NotOlderThan(revision)),
        (Some(false), None) => Start::FromNow,
        (Some(false), Some(0)) => Start::FromAny,
        (_, Some(revision)) => Start::Revision(revision),
    })
}

/// `as_stored`: all objects are shown as the cache has them.
fn event_of(delivery: Delivery, row: &Row, as_stored: bool) -> WatchEvent {
    let kind = match delivery.kind() {
        Kind::Added => EventKind::Added,
        Kind::Modified => EventKind::Modified,
        Kind::Deleted => EventKind::Deleted,
        Kind::Bookmark => return bookmark(&delivery, row),
    };
    if delivery.entry().is_some_and(|entry| as_stored || row.shows(entry.object())) {
        return WatchEvent::cached(kind, delivery);
    }
    let Some(object) = delivery.object() else {
        return error_event(&StatusError::internal("an event without an object"));
    };
    match serve_without_call(&object, row) {
        Ok(object) => WatchEvent::made(kind, object),
        Err(error) => error_event(&error),
    }
}

/// Events of objects that a webhook converts, one after the other.
struct Converting {
    registry: Arc<Registry>,
    store: Arc<Store>,
    row: Arc<Row>,
    criteria: Option<Arc<Criteria>>,
}

impl Converting {
    /// The event as the watcher sees it: none where the selectors match nothing on both sides of it.
    async fn event_of(&self, delivery: &Delivery) -> Option<WatchEvent> {
        match self.shown(delivery).await {
            Ok(shown) => {
                let (kind, object) = shown?;
                Some(WatchEvent::made(kind, object))
            }
            Err(error) => Some(error_event(&error)),
        }
    }

    async fn shown(&self, delivery: &Delivery) -> Result<Option<(EventKind, Served)>, StatusError> {
        let current = match delivery.kind() {
            Kind::Deleted => None,
            _ => self.matching(delivery.entry()).await?,
        };
        // Who selects nothing has seen what was there.
        let seen = match &self.criteria {
            Some(_) => self.matching(delivery.previous()).await?.is_some(),
            None => delivery.kind() != Kind::Added,
        };
        Ok(match (seen, current) {
            (false, Some(object)) => Some((EventKind::Added, object)),
            (true, Some(object)) => Some((EventKind::Modified, object)),
            (true, None) => {
                let Some(previous) = delivery.previous() else { return Ok(None) };
                let last = self.registry.serve(Stored::of(previous), &self.row).await?;
                let mut last = Value::clone(&*last.value()?);
                last.set_resource_version(&delivery.revision().to_string());
                Some((EventKind::Deleted, Served::from_value(Arc::new(last))))
            }
            (false, None) => None,
        })
    }

    async fn matching(&self, entry: Option<&Arc<Entry>>) -> Result<Option<Served>, StatusError> {
        let Some(entry) = entry else { return Ok(None) };
        let object = self.registry.serve(Stored::of(entry), &self.row).await?;
        let matches = match &self.criteria {
            Some(criteria) => criteria.match_converted(&self.store, entry, object.bytes())?,
            None => true,
        };
        Ok(matches.then_some(object))
    }
}

fn bookmark(delivery: &Delivery, row: &Row) -> WatchEvent {
    let mut object = json!({"apiVersion": row.api_version(), "kind": row.kind, "metadata": {"resourceVersion": delivery.revision().to_string()}});
    if delivery.is_initial_events_end() {
        object.set_annotation("k8s.io/initial-events-end", "true");
    }
    if let Some(schema) = row.schema().filter(|_| !row.is_custom()) {
        // Upstream sends an empty object of the kind: what Go always writes is there (`spec: {}`).
        schema.apply_defaults(&mut object);
        keep_structure(&mut object);
    }
    WatchEvent::made(EventKind::Bookmark, Served::from_value(Arc::new(object)))
}

/// Of an empty object's defaults only the structure is in Go's zero value, not the values.
fn keep_structure(object: &mut Value) {
    let Some(fields) = object.as_object_mut() else { return };
    for (name, value) in fields.iter_mut() {
        if let (true, Value::Object(inner)) = (!matches!(name.as_str(), "metadata"), value) {
            inner.retain(|_, value| value.is_object() || value.is_null());
        }
    }
}

fn error_event(error: &StatusError) -> WatchEvent {
    WatchEvent::made(EventKind::Error, Served::from_bytes(go_json_bytes(error.status()).into()))
}

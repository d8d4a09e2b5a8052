//! list: a page of a collection, from the cache at a revision.

use std::sync::Arc;

use apimachinery::selector::fields::Operator;
use apimachinery::{StatusError, continue_token};
use storage::cacher::{At, Freshness, ListRequest, Scope};

use super::get::revision_of;
use super::selection::{Criteria, Selection};
use crate::options::{ListOptions, ResourceVersionMatch};
use crate::registry::Registry;
use crate::served::{Listed, Served};
use crate::store::Store;
use crate::{RequestContext, Target, storage_error};

/// Reads the selectors of a list or watch.
///
/// # Errors
/// 400 for a field that the kind does not let select.
pub(crate) fn select(store: &Store, target: &Target, options: &ListOptions) -> Result<Selection, StatusError> {
    let mut namespace = target.namespace.clone();
    let mut name = target.name.clone();
    let mut index_value = None;
    // (kept label, must be equal, value)
    let mut fields: Vec<(Box<str>, bool, Box<str>)> = Vec::new();
    for requirement in options.field_selector.iter().flat_map(|selector| selector.requirements()) {
        let label = target.row.selectable.resolve(&target.row, &requirement.field)?;
        let equal = requirement.operator == Operator::Equals;
        match label {
            "metadata.name" if equal && name.is_empty() => name.clone_from(&requirement.value),
            "metadata.namespace" if equal && namespace.is_empty() && target.row.namespaced => {
                namespace.clone_from(&requirement.value);
            }
            _ if equal && store.selectable().index_field() == Some(label) => {
                index_value = Some(requirement.value.as_str().into());
            }
            _ => {}
        }
        fields.push((label.into(), equal, requirement.value.as_str().into()));
    }
    let labels = options.label_selector.clone().filter(|selector| !selector.is_everything());
    let criteria = (labels.is_some() || !fields.is_empty()).then(|| Arc::new(Criteria { labels, fields }));
    let scope = match (name.is_empty(), namespace.is_empty()) {
        (false, namespace_is_empty) if !namespace_is_empty || !target.row.namespaced => {
            Scope::Object { namespace: namespace.into(), name: name.into() }
        }
        (_, false) => Scope::Namespace(namespace.into()),
        _ => Scope::All,
    };
    Ok(Selection { scope, criteria, index_value })
}

impl Registry {
    /// A page of a collection; `target.name` empty.
    ///
    /// # Errors
    /// 400 for selectors and tokens that make no sense, 410 for a state that is compacted, 504 for one not reached.
    pub async fn list(
        &self,
        _ctx: &RequestContext,
        target: &Target,
        options: &ListOptions,
    ) -> Result<Listed, StatusError> {
        let store = self.store_of(target)?;
        let selection = select(&store, target, options)?;
        // Upstream's tokens are relative to what the URL names.
        let mut prefix = store.key_prefix(self.backing());
        if target.row.namespaced && !target.namespace.is_empty() {
            prefix.push_str(&target.namespace);
            prefix.push('/');
        }
        let mut request = ListRequest::new(selection.scope, At::Newest(Freshness::Consistent));
        request.limit = usize::try_from(options.limit).unwrap_or(usize::MAX);
        let continued = !options.continue_token.is_empty();
        if continued {
            let (start, revision) = continue_token::decode(&options.continue_token, &prefix)?;
            if !matches!(options.resource_version.as_str(), "" | "0") {
                return Err(StatusError::bad_request("specifying resource version is not allowed when using continue"));
            }
            request.start = Some(start.into());
            request.at = match revision {
                Some(revision) => At::Exact(revision),
                None => At::Newest(Freshness::Consistent),
            };
        } else {
            request.at = at(options)?;
        }
        // What a webhook makes of an object is what selectors see of it.
        let after_conversion = selection.criteria.as_ref().filter(|_| target.row.asks_a_webhook());
        let failed = |error| storage_error::list(&error, target, continued);
        let (listed, items) = match after_conversion {
            Some(criteria) => self.list_converted(&store, target, request, criteria).await?.map_err(failed)?,
            None => {
                request.predicate = selection.criteria.map(Criteria::into_predicate);
                let mut listed = store.cacher(self.backing()).list(request).await.map_err(failed)?;
                let items = self.serve_all(std::mem::take(&mut listed.entries), &target.row).await?;
                (listed, items)
            }
        };
        let continue_token = match &listed.next {
            Some(next) => continue_token::encode(next, &prefix, listed.revision)?,
            None => String::new(),
        };
        // Upstream cannot count what a selector has not looked at.
        let selective = options.label_selector.as_ref().is_some_and(|selector| !selector.is_everything())
            || options.field_selector.as_ref().is_some_and(|selector| !selector.is_everything());
        let remaining = listed.remaining.filter(|&remaining| remaining > 0 && !selective && listed.next.is_some());
        Ok(Listed { resource_version: listed.revision.to_string(), continue_token, remaining, items })
    }
}

/// A page, and its objects as they are served.
type Page = (storage::cacher::Listed, Vec<Served>);

impl Registry {
    /// As a list with a predicate, which is asked of the converted objects: pages are read until one is full.
    async fn list_converted(
        &self,
        store: &Arc<Store>,
        target: &Target,
        mut request: ListRequest,
        criteria: &Criteria,
    ) -> Result<storage::Result<Page>, StatusError> {
        let limit = request.limit;
        let mut found = Vec::new();
        loop {
            // A page of matches may lie anywhere: what is read ahead is converted only once all the same.
            let mut listed = match store.cacher(self.backing()).list(request.clone()).await {
                Ok(listed) => listed,
                Err(error) => return Ok(Err(error)),
            };
            let entries = std::mem::take(&mut listed.entries);
            for (entry, served) in entries.iter().zip(self.serve_all(entries.clone(), &target.row).await?) {
                if !criteria.match_converted(store, entry, served.bytes())? {
                    continue;
                }
                if limit > 0 && found.len() == limit {
                    listed.next = Some((&**entry.key()).into());
                    return Ok(Ok((listed, found)));
                }
                found.push(served);
            }
            let Some(next) = listed.next.take() else {
                listed.remaining = None;
                return Ok(Ok((listed, found)));
            };
            request.start = Some(next);
            request.at = At::Exact(listed.revision);
        }
    }
}

fn at(options: &ListOptions) -> Result<At, StatusError> {
    if options.resource_version.is_empty() {
        return Ok(At::Newest(Freshness::Consistent));
    }
    let revision = revision_of(&options.resource_version)?;
    Ok(match (revision, options.resource_version_match) {
        (0, _) => At::Newest(Freshness::Any),
        (revision, Some(ResourceVersionMatch::Exact)) => At::Exact(revision),
        // Upstream's old rule: the first page of a paged list at a resourceVersion is at exactly that one.
        (revision, None) if options.limit > 0 => At::Exact(revision),
        (revision, _) => At::Newest(Freshness::NotOlderThan(revision)),
    })
}

//! deletecollection: a delete of everything that a list finds. Not atomic, as upstream's.

use std::sync::Arc;

use apimachinery::{ObjectExt, StatusError};
use futures::StreamExt;
use futures::stream;

use crate::options::{DeleteOptions, ListOptions};
use crate::registry::Registry;
use crate::served::Listed;
use crate::{RequestContext, Target};

/// How many deletions are under way at a time. They share a group commit.
const AT_ONCE: usize = 16;

impl Registry {
    /// Deletes every object of a collection that matches; answers what was there.
    ///
    /// # Errors
    /// Those of a list, and the first of a delete: some objects may be gone then.
    pub async fn delete_collection(
        &self,
        ctx: &RequestContext,
        target: &Target,
        options: &DeleteOptions,
        list: &ListOptions,
    ) -> Result<Listed, StatusError> {
        let listed = self.list(ctx, target, list).await?;
        let mut names = Vec::with_capacity(listed.items.len());
        for item in &listed.items {
            let object = item.value()?;
            names.push((object.namespace().to_owned(), object.name().to_owned()));
        }
        let deletions = names.into_iter().map(|(namespace, name)| {
            let target = Target { row: Arc::clone(&target.row), namespace, name, subresource: String::new() };
            async move { self.delete_object(ctx, &target, options).await.map(drop) }
        });
        let mut deletions = stream::iter(deletions).buffer_unordered(AT_ONCE);
        while let Some(deleted) = deletions.next().await {
            match deleted {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        Ok(listed)
    }
}

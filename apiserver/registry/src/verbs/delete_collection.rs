//! deletecollection: a delete of everything that a list finds. Not atomic, as upstream's.

use std::sync::Arc;

use apimachinery::{ObjectExt, StatusError};

use crate::options::{DeleteOptions, ListOptions};
use crate::registry::Registry;
use crate::served::Listed;
use crate::{RequestContext, Target};

impl Registry {
    /// Deletes every object of a collection that matches, in the order of the list; answers what was there.
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
        self.warn_of_unsaid_propagation(ctx, &target.row, options);
        let listed = self.list(ctx, target, list).await?;
        // One after the other, as upstream does by default: watchers see the deletions in the order of the list.
        for item in &listed.items {
            let object = item.value()?;
            let (namespace, name) = (object.namespace().to_owned(), object.name().to_owned());
            let target = Target { row: Arc::clone(&target.row), namespace, name, subresource: String::new() };
            match self.delete_object(ctx, &target, options).await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        Ok(listed)
    }
}

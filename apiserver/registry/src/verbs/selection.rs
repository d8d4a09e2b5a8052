//! Which objects a list or a watch is about.

use std::sync::Arc;

use apimachinery::StatusError;
use apimachinery::selector::labels::Selector;
use storage::cacher::{Entry, Predicate, Scope};

use crate::store::Store;

/// What a list or a watch selects.
pub(crate) struct Selection {
    pub scope: Scope,
    pub criteria: Option<Arc<Criteria>>,
    /// The value required of the cache's index field.
    pub index_value: Option<Box<str>>,
}

/// Label and field selectors.
pub(crate) struct Criteria {
    pub labels: Option<Selector>,
    /// Kept label, whether it must be equal, value.
    pub fields: Vec<(Box<str>, bool, Box<str>)>,
}

impl Criteria {
    fn match_by<'a>(&self, label: impl Fn(&str) -> Option<&'a str>, field: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.labels.as_ref().is_none_or(|selector| selector.matches(&label))
            && self.fields.iter().all(|(name, equal, value)| (field(name).unwrap_or_default() == &**value) == *equal)
    }

    /// Asked of objects as the cache has them.
    pub fn into_predicate(self: Arc<Self>) -> Predicate {
        Arc::new(move |entry: &Entry| self.match_by(|key| entry.label(key), |name| entry.field(name)))
    }

    /// Asked of what an entry was converted to.
    ///
    /// # Errors
    /// 500 if that cannot be read.
    pub fn match_converted(&self, store: &Store, entry: &Entry, converted: &[u8]) -> Result<bool, StatusError> {
        let picked = store.selectable().pick_json(converted);
        let picked = picked.map_err(|error| StatusError::internal(format!("a converted object: {error}")))?;
        let field = |name: &str| match name {
            "metadata.name" => Some(entry.name()),
            "metadata.namespace" => Some(entry.namespace()),
            name => picked.fields.get(name),
        };
        Ok(self.match_by(|key| picked.labels.get(key), field))
    }
}

//! What a client sees of an object through a subresource, and how what it writes there gets back into the object.

use std::sync::Arc;

use apimachinery::gvk::GroupVersionKind;
use apimachinery::{ObjectExt, StatusError};
use serde_json::Value;

use crate::table::{Row, Table};
use crate::{fieldmanager, scale};

/// The object itself (status and the like are the whole object, too) or its scale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// The object.
    Whole,
    /// An `autoscaling/v1` Scale.
    Scale,
}

impl View {
    /// The view of a subresource.
    pub fn of(row: &Row, subresource: &str) -> Self {
        let is_scale = row.subresource(subresource).is_some_and(|sub| sub.name == "scale" && sub.kind.kind == "Scale");
        if is_scale { Self::Scale } else { Self::Whole }
    }

    pub fn is_whole(&self) -> bool {
        *self == Self::Whole
    }

    /// The kind that the client sees.
    pub fn kind(&self, row: &Row) -> GroupVersionKind {
        match self {
            Self::Whole => row.gvk(),
            Self::Scale => GroupVersionKind::new("autoscaling", "v1", "Scale"),
        }
    }

    /// What the client sees of `object`.
    pub fn show(&self, object: &Value, row: &Row) -> Result<Value, StatusError> {
        match self {
            Self::Whole => Ok(object.clone()),
            Self::Scale => scale::of(object, row),
        }
    }

    /// [`Self::show`] of an object that is not copied where it is shown as it is.
    pub fn show_shared(&self, object: &Arc<Value>, row: &Row) -> Result<Arc<Value>, StatusError> {
        if self.is_whole() { Ok(object.clone()) } else { self.show(object, row).map(Arc::new) }
    }

    /// What the client changes of `object`: as shown, with the owners of its fields.
    pub fn show_to_write(&self, object: &Arc<Value>, table: &Table, row: &Row) -> Result<Arc<Value>, StatusError> {
        if self.is_whole() {
            return Ok(object.clone());
        }
        let mut shown = self.show(object, row)?;
        shown.set_managed_fields(fieldmanager::of_parent(object, table, row));
        Ok(Arc::new(shown))
    }

    /// `object` with what the client wrote.
    pub fn put_back(&self, shown: Value, object: &Value, table: &Table, row: &Row) -> Result<Value, StatusError> {
        match self {
            Self::Whole => Ok(shown),
            Self::Scale => {
                let mut object = object.clone();
                object.set_managed_fields(fieldmanager::into_parent(&object, &shown, table, row));
                scale::apply(&shown, &mut object, row)?;
                object.set_resource_version(shown.resource_version());
                Ok(object)
            }
        }
    }
}

//! What must be true of a draft before anything is done with it: identity, preconditions, resourceVersion.

use apimachinery::field::{self, Path};
use apimachinery::gvk::{GroupKind, GroupResource};
use apimachinery::{ObjectExt, StatusError};
use serde_json::Value;
use storage::Revision;

use super::{Change, Current, Write};
use crate::meta;
use crate::options::Preconditions;

impl Write<'_> {
    /// Name and namespace of the draft against the URL's.
    pub(super) fn check_identity(
        &self,
        change: &dyn Change,
        draft: &mut Value,
        exists: bool,
    ) -> Result<(), StatusError> {
        meta::settle_namespace(draft, &self.target.row, &self.target.namespace)?;
        draft.metadata_mut().remove("selfLink");
        if change.must_create() {
            meta::wipe_system_fields(draft);
            return Ok(());
        }
        if self.view.is_whole() || exists {
            meta::check_name(draft, &self.target.name)?;
        }
        Ok(())
    }

    /// A scale carries its object's uid.
    pub(super) fn check_scale_uid(&self, draft: &Value, old: Option<&Value>) -> Result<(), StatusError> {
        match old {
            Some(old) if !self.view.is_whole() && !draft.uid().is_empty() && draft.uid() != old.uid() => {
                let row = &self.target.row;
                let resource = GroupResource::new(&row.gvr.group, format!("{}/scale", row.gvr.resource));
                let words = format!(
                    "Precondition failed: UID in precondition: {}, UID in object meta: {}",
                    draft.uid(),
                    old.uid()
                );
                Err(StatusError::conflict(&resource, &self.target.name, words))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn check_preconditions(
        &self,
        preconditions: &Preconditions,
        old: Option<&Value>,
    ) -> Result<(), StatusError> {
        let there = old.map_or("", |old| old.uid());
        let key = self.key(&self.target.name);
        // Upstream checks a scale before the store adds its prefix.
        let key = if self.view.is_whole() { &*key } else { key.trim_start_matches(&*self.registry.backing().prefix) };
        match &preconditions.uid {
            Some(uid) if uid != there => Err(StatusError::conflict(
                &self.target.row.group_resource(),
                &self.target.name,
                format!(
                    "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: \
                     UID in precondition: {uid}, UID in object meta: {there}",
                    key
                ),
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn check_resource_version(
        &self,
        change: &dyn Change,
        object: &mut Value,
        current: &Current,
    ) -> Result<(), StatusError> {
        let row = &self.target.row;
        let sent = if change.carries_resource_version() { object.resource_version() } else { "" };
        let sent = parse_revision(sent).map_err(StatusError::unstructured)?;
        // A scale is written whatever the version of its object.
        let unconditional = row.strategy.facts().unconditional_update || !self.view.is_whole();
        if sent == 0 {
            if unconditional || !change.carries_resource_version() {
                object.set_resource_version(&crate::store::itoa(current.revision));
                return Ok(());
            }
            let errors = vec![field::Error::invalid(
                &Path::new("metadata").child("resourceVersion"),
                0,
                "must be specified for an update",
            )];
            let kind = GroupKind::new(&row.gvr.group, &row.gvr.resource);
            return Err(StatusError::invalid(&kind, &self.target.name, errors));
        }
        if sent != current.revision {
            return Err(StatusError::conflict(
                &row.group_resource(),
                &self.target.name,
                "the object has been modified; please apply your changes to the latest version and try again",
            ));
        }
        Ok(())
    }
}

/// A resourceVersion as a revision; empty is 0. The error is that of Go's parser.
pub(crate) fn parse_revision(text: &str) -> Result<Revision, String> {
    if text.is_empty() {
        return Ok(0);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| format!("strconv.ParseUint: parsing \"{text}\": value out of range"));
    }
    Err(format!("strconv.ParseUint: parsing {}: invalid syntax", apimachinery::quote::quoted(text)))
}

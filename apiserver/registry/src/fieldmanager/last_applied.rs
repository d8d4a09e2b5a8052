//! The way from client-side to server-side apply: kubectl keeps what it applied in an annotation.

use apimachinery::ObjectExt;
use apimachinery::quote::go_json;
use serde_json::Value;
use structured_merge_diff::Set;

use super::Writer;
use super::types::Types;

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The manager's name for which the annotation counts.
const KUBECTL: &str = "kubectl";
/// The most that annotations may hold.
const MAX_ANNOTATIONS: usize = 256 << 10;

/// The fields that kubectl may take over without force: those it applied before and nobody has changed since.
pub(super) fn allowed_conflicts(writer: &Writer<'_>, types: &Types<'_>, live: Option<&Value>) -> Set {
    let text = live.filter(|_| writer.manager == KUBECTL).and_then(|live| live.annotation(ANNOTATION));
    let (Some(live), Some(text)) = (live, text.filter(|text| !text.is_empty())) else { return Set::new() };
    let Ok(last) = serde_json::from_str::<Value>(text) else { return Set::new() };
    if last.kind().is_empty() || last.api_version() != writer.api_version().as_str() {
        return Set::new();
    }
    // Neither may hold duplicates.
    let (Ok(last), Ok(live)) = (types.applied(last), types.applied(super::without_managed_fields(live))) else {
        return Set::new();
    };
    let (Ok(fields), Ok(comparison)) = (last.to_field_set(), last.compare(&live)) else { return Set::new() };
    fields.difference(&comparison.modified).difference(&comparison.added).difference(&comparison.removed)
}

/// Whether the object has the annotation, and the manager is to keep it true.
pub(super) fn is_kept(manager: &str, object: &Value) -> bool {
    manager == KUBECTL && object.annotation(ANNOTATION).is_some_and(|text| !text.is_empty())
}

/// Keeps the annotation true where the object has it.
pub(super) fn refresh(manager: &str, config: &Value, object: &mut Value) {
    if !is_kept(manager, object) {
        return;
    }
    let mut config = config.clone();
    if let Some(annotations) = config.metadata_mut().get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove(ANNOTATION);
    }
    object.set_annotation(ANNOTATION, &format!("{}\n", go_json(&config)));
    let size: usize = object
        .annotations()
        .into_iter()
        .flatten()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if size > MAX_ANNOTATIONS
        && let Some(annotations) = object.metadata_mut().get_mut("annotations").and_then(Value::as_object_mut)
    {
        annotations.remove(ANNOTATION);
    }
}

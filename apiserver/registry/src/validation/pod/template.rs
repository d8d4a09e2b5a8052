//! Templates of pods, as every kind that makes pods has them.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{validate_annotations, validate_labels};
use serde_json::Value;

use super::{Options, annotations, profiles, spec};
use crate::validation::read::list;

/// What is wrong with a template (`metadata` and `spec`) at a path.
pub(crate) fn validate(template: &Value, at: &Path, options: &Options, errors: &mut ErrorList) {
    let (metadata, pod_spec) = (&template["metadata"], &template["spec"]);
    let annotations_at = at.child("annotations");
    errors.extend(validate_labels(&metadata["labels"], &at.child("labels")));
    errors.extend(validate_annotations(&metadata["annotations"], &annotations_at));
    annotations::validate(metadata, pod_spec, &annotations_at, options, errors);
    let spec_at = at.child("spec");
    spec::validate(pod_spec, None, &spec_at, options, errors);
    profiles::validate_seccomp_agreement(metadata, pod_spec, &spec_at, errors);
    if !list(pod_spec, "ephemeralContainers").is_empty() {
        let words = "ephemeral containers not allowed in pod template";
        errors.push(Error::forbidden(&spec_at.child("ephemeralContainers"), words));
    }
}

//! The Pods of a Job.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector, Pod};

use super::failure::{INDEX_FAILURES, INDEX_IGNORED_FAILURES};
use super::indexes::INDEX;
use super::plan::{NewPod, TRACKING};
use crate::{controller_ref, pod_control};

/// The variable that tells a container its index.
const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";
/// The longest prefix that a name is generated from.
const LONGEST_PREFIX: usize = 58;

/// A Pod of a Job.
pub fn pod(job: &Job, new: &NewPod) -> Pod {
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let template = job.spec.as_ref().map(|spec| spec.template.clone()).unwrap_or_default();
    let mut pod = pod_control::from_template(&template, name, controller_ref::of(job));
    let finalizers = pod.metadata.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|finalizer| finalizer == TRACKING) {
        finalizers.push(TRACKING.to_owned());
    }
    let Some(index) = new.index else { return pod };
    let suffix = format!("-{index}-");
    let cut = name.floor_char_boundary(LONGEST_PREFIX.saturating_sub(suffix.len()));
    pod.metadata.generate_name = Some(format!("{}{suffix}", &name[..cut]));
    pod.metadata.labels.get_or_insert_default().insert(INDEX.to_owned(), index.to_string());
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(INDEX.to_owned(), index.to_string());
    if let Some((failures, ignored)) = new.failures {
        annotations.insert(INDEX_FAILURES.to_owned(), failures.to_string());
        if ignored > 0 {
            annotations.insert(INDEX_IGNORED_FAILURES.to_owned(), ignored.to_string());
        }
    }
    if let Some(spec) = &mut pod.spec {
        spec.hostname = Some(format!("{name}-{index}"));
        for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
            let variables = container.env.get_or_insert_default();
            if !variables.iter().any(|variable| variable.name == INDEX_VARIABLE) {
                variables.push(index_variable());
            }
        }
    }
    pod
}

fn index_variable() -> EnvVar {
    let field_ref = ObjectFieldSelector { api_version: None, field_path: format!("metadata.labels['{INDEX}']") };
    EnvVar {
        name: INDEX_VARIABLE.to_owned(),
        value: None,
        value_from: Some(EnvVarSource { field_ref: Some(field_ref), ..EnvVarSource::default() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_knows_its_index() {
        let job: Job = serde_json::from_value(json!({
            "metadata": {"name": "j", "namespace": "n", "uid": "u"},
            "spec": {"template": {"metadata": {"labels": {"job-name": "j"}}, "spec": {"containers": [{"name": "c"}]}}},
        }))
        .unwrap();
        let pod = serde_json::to_value(pod(&job, &NewPod { index: Some(3), failures: Some((1, 2)) })).unwrap();
        assert_eq!(
            pod["metadata"],
            json!({
                "generateName": "j-3-", "finalizers": [TRACKING], "labels": {"job-name": "j", INDEX: "3"},
                "annotations": {INDEX: "3", INDEX_FAILURES: "1", INDEX_IGNORED_FAILURES: "2"},
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u",
                                     "controller": true, "blockOwnerDeletion": true}],
            })
        );
        assert_eq!(pod["spec"]["hostname"], "j-3");
        let variable = &pod["spec"]["containers"][0]["env"][0];
        assert_eq!(variable["valueFrom"]["fieldRef"]["fieldPath"], format!("metadata.labels['{INDEX}']"));
    }
}

//! What selectors see of an object: its labels, and the few fields that its kind allows in field selectors.

mod pick;

use std::sync::Arc;

use apimachinery::StatusError;
use storage::cacher::Pairs;

use crate::table::Row;

/// The fields of one kind that a field selector may name, beside `metadata.name` and `metadata.namespace`.
#[derive(Clone, Debug, Default)]
pub struct Selectable {
    fields: Arc<[Field]>,
    index_field: Option<&'static str>,
    /// Whether the kind states its fields itself; the words of the refusal differ.
    stated: bool,
}

/// One such field.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    /// The selector's word.
    label: Box<str>,
    /// Where the value is, if not under that name: tried in order, the first that is not empty counts.
    paths: Vec<Box<str>>,
    /// What an absent field counts as.
    absent: &'static str,
}

/// What [`Selectable::pick`] finds.
#[derive(Debug, Default)]
pub(crate) struct Picked {
    /// `apiVersion`.
    pub api_version: String,
    /// `metadata.labels`.
    pub labels: Pairs,
    /// The selectable fields; an absent one is empty, a number or truth value is its text.
    pub fields: Pairs,
}

/// `(kind, [label, or label=path, or label=path|path; a trailing !word is the value of an absent field])`, upstream's.
const BUILTIN: &[(&str, &str, &[&str])] = &[
    (
        "",
        "Pod",
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork!false",
            "status.phase",
            "status.podIP",
            // Upstream takes the word and finds nothing under it.
            "status.podIPs",
            "status.nominatedNodeName",
        ],
    ),
    ("", "Node", &["spec.unschedulable!false"]),
    ("", "Namespace", &["status.phase"]),
    ("", "Secret", &["type"]),
    ("", "Service", &["spec.clusterIP", "spec.type"]),
    ("", "ReplicationController", &["status.replicas!0"]),
    (
        "",
        "Event",
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent=reportingComponent|source.component",
            "source=source.component|reportingComponent",
            "type",
        ],
    ),
    ("batch", "Job", &["status.successful=status.succeeded!0"]),
    ("certificates.k8s.io", "CertificateSigningRequest", &["spec.signerName"]),
    ("resource.k8s.io", "ResourceSlice", &["spec.nodeName", "spec.driver"]),
    (
        "networking.k8s.io",
        "IPAddress",
        &["spec.parentRef.group", "spec.parentRef.resource", "spec.parentRef.namespace", "spec.parentRef.name"],
    ),
];

impl Selectable {
    /// Those of a built-in kind.
    pub fn builtin(group: &str, kind: &str) -> Self {
        let rule = BUILTIN.iter().find(|(g, k, _)| *g == group && *k == kind);
        let fields = rule.map(|(_, _, fields)| fields.iter().map(|field| Field::parse(field)).collect());
        let index_field = (group.is_empty() && kind == "Pod").then_some("spec.nodeName");
        Self { stated: fields.is_some(), fields: fields.unwrap_or_default(), index_field }
    }

    /// Those that a custom resource definition names.
    pub fn custom<'a>(labels: impl Iterator<Item = &'a str>) -> Self {
        let fields = labels.map(|label| Field { label: label.into(), paths: vec![label.into()], absent: "" }).collect();
        Self { fields, index_field: None, stated: true }
    }

    /// The fields, by the words that selectors have for them.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| &*field.label)
    }

    /// The field that the cache indexes watchers by.
    pub(crate) fn index_field(&self) -> Option<&'static str> {
        self.index_field
    }

    /// The label under which the field that a selector calls `label` is kept.
    ///
    /// # Errors
    /// 400 in upstream's words if `row` does not allow it.
    pub(crate) fn resolve<'a>(&self, row: &Row, label: &'a str) -> Result<&'a str, StatusError> {
        let allowed = match label {
            "metadata.name" => true,
            "metadata.namespace" => row.namespaced || !self.stated,
            _ => {
                let kept = match (&*row.gvr.group, label) {
                    ("events.k8s.io", label) => events_label(label),
                    ("", "spec.host") if row.kind == "Pod" => Some("spec.nodeName"),
                    (_, label) => Some(label),
                };
                let known = kept.filter(|kept| self.fields.iter().any(|field| *field.label == **kept));
                return known.ok_or_else(|| self.refusal(row, label));
            }
        };
        if allowed { Ok(label) } else { Err(self.refusal(row, label)) }
    }

    fn refusal(&self, row: &Row, label: &str) -> StatusError {
        StatusError::bad_request(match (self.stated, row.kind.as_str()) {
            (false, _) => {
                format!("\"{label}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
            }
            (true, "Job") => format!("field label \"{label}\" not supported for Job"),
            (true, _) => format!("field label not supported: {label}"),
        })
    }
}

/// What `events.k8s.io/v1` calls the fields of a core event.
fn events_label(label: &str) -> Option<&'static str> {
    Some(match label {
        "regarding.kind" => "involvedObject.kind",
        "regarding.namespace" => "involvedObject.namespace",
        "regarding.name" => "involvedObject.name",
        "regarding.uid" => "involvedObject.uid",
        "regarding.apiVersion" => "involvedObject.apiVersion",
        "regarding.resourceVersion" => "involvedObject.resourceVersion",
        "regarding.fieldPath" => "involvedObject.fieldPath",
        "reportingController" => "reportingComponent",
        "reason" => "reason",
        "type" => "type",
        _ => return None,
    })
}

impl Field {
    fn parse(rule: &str) -> Self {
        let (rule, absent): (&str, &'static str) = match rule.split_once('!') {
            Some((rule, "0")) => (rule, "0"),
            Some((rule, _)) => (rule, "false"),
            None => (rule, ""),
        };
        let (label, paths) = rule.split_once('=').unwrap_or((rule, rule));
        Self { label: label.into(), paths: paths.split('|').map(Into::into).collect(), absent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_the_kind_s_fields_are_found_in_one_pass() {
        let pod = br#"{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"app":"web","n":"1"},"name":"a"},
            "spec":{"nodeName":"n1","containers":[{"name":"c"}]},"status":{"phase":"Running","podIP":null,"podIPs":[{"ip":"x"}]}}"#;
        let picked = Selectable::builtin("", "Pod").pick_json(pod).unwrap();
        assert_eq!(picked.api_version, "v1");
        assert_eq!(picked.labels.get("app"), Some("web"));
        let fields: Vec<_> = ["spec.nodeName", "status.phase", "spec.hostNetwork", "status.podIP", "status.podIPs"]
            .map(|field| picked.fields.get(field))
            .into_iter()
            .collect();
        assert_eq!(fields, [Some("n1"), Some("Running"), Some("false"), Some(""), Some("")]);
    }

    #[test]
    fn an_object_and_its_json_show_selectors_the_same() {
        let labels = [
            "spec.text",
            "spec.yes",
            "spec.no",
            "spec.whole",
            "spec.large",
            "spec.float",
            "spec.null",
            "spec.list",
            "spec.deep.er",
            "spec.none",
        ];
        let selectable = Selectable::custom(labels.into_iter());
        let json = br#"{"apiVersion":"a/v1","kind":"K","metadata":{"labels":{"b":"2","a":""}},"spec.text":"dotted",
            "spec":{"text":"x","yes":true,"no":false,"whole":-3,"large":18446744073709551615,"float":0.5,"null":null,
            "list":["y"],"deep":{"er":"z"},"deep.er":"dotted"}}"#;
        let of_json = selectable.pick_json(json).unwrap();
        let of_object = selectable.pick(&serde_json::from_slice(json).unwrap());
        assert_eq!(of_object.labels, of_json.labels);
        assert_eq!(of_object.fields, of_json.fields);
        assert_eq!(of_object.api_version, of_json.api_version);
        let fields: Vec<_> = labels.map(|label| of_json.fields.get(label).unwrap()).to_vec();
        assert_eq!(fields, ["x", "true", "false", "-3", "18446744073709551615", "0.5", "", "", "z", ""]);
    }

    #[test]
    fn an_event_s_source_is_found_where_either_api_writes_it() {
        let event = br#"{"apiVersion":"v1","reportingComponent":"kubelet","source":{}}"#;
        let picked = Selectable::builtin("", "Event").pick_json(event).unwrap();
        assert_eq!(picked.fields.get("source"), Some("kubelet"));
    }
}

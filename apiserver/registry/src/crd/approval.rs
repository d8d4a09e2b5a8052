//! Groups of the Kubernetes community: definitions in them need its approval, which an annotation tells of.

use apimachinery::ObjectExt;
use apimachinery::field::{Error, Path};
use apimachinery::quote::quoted;
use apimachinery::url::Url;
use serde_json::Value;

/// The annotation that names the pull request in which an API was approved, or why there is none.
pub const APPROVED_ANNOTATION: &str = "api-approved.kubernetes.io";

/// What the annotation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalState {
    /// Neither a URL nor a reason for there being none.
    Invalid,
    /// The URL of the approval.
    Approved,
    /// A reason why there is no approval.
    Bypassed,
    /// Nothing.
    Missing,
}

/// What the annotation of a definition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// In one word.
    pub state: ApprovalState,
    /// In a sentence.
    pub message: String,
}

/// Whether definitions of the group need approval.
pub fn is_protected(group: &str) -> bool {
    ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|domain| group.strip_suffix(domain).is_some_and(|below| below.is_empty() || below.ends_with('.')))
}

impl Approval {
    /// What the annotation of `definition` says.
    pub fn of(definition: &Value) -> Self {
        let given = annotation(definition);
        let named = quoted(APPROVED_ANNOTATION);
        let (state, message) = if given.is_empty() {
            let why = format!("protected groups must have approval annotation {named}");
            (ApprovalState::Missing, format!("{why}, see {ENHANCEMENT}"))
        } else if given.starts_with("unapproved") {
            (ApprovalState::Bypassed, format!("not approved: {}", quoted(given)))
        } else if Url::parse_request(given).is_ok_and(|url| !url.host.is_empty() && !url.scheme.is_empty()) {
            (ApprovalState::Approved, format!("approved in {given}"))
        } else {
            let why = format!("protected groups must have approval annotation {named}");
            let either = "with either a URL or a reason starting with \"unapproved\"";
            (ApprovalState::Invalid, format!("{why} {either}, see {ENHANCEMENT}"))
        };
        Self { state, message }
    }
}

const ENHANCEMENT: &str = "https://github.com/kubernetes/enhancements/pull/1111";

fn annotation(definition: &Value) -> &str {
    let annotation = definition.annotations().and_then(|all| all.get(APPROVED_ANNOTATION));
    annotation.and_then(Value::as_str).unwrap_or_default()
}

/// What is wrong with the annotation; a change may leave it as wrong as it was.
pub(crate) fn validate(definition: &Value, old: Option<&Value>, group: &str) -> Option<Error> {
    if !is_protected(group) {
        return None;
    }
    let Approval { state, message } = Approval::of(definition);
    if old.is_some_and(|old| Approval::of(old).state == state) {
        return None;
    }
    let path = Path::new("metadata").child("annotations").key(APPROVED_ANNOTATION);
    match state {
        ApprovalState::Approved | ApprovalState::Bypassed => None,
        ApprovalState::Missing => Some(Error::required(&path, message)),
        ApprovalState::Invalid => Some(Error::invalid(&path, annotation(definition), message)),
    }
}

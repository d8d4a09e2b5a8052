//! Answers that are not objects: `meta/v1` Status, and the errors that become one.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::field::{self, ErrorList};
use crate::gvk::{GroupKind, GroupResource};
use crate::nullable::null_as_default;
use crate::quote::Quoted;

/// A `meta/v1` Status. Serialised with `kind`, `apiVersion` and an empty `metadata`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Status {
    /// `Success` or `Failure`.
    #[serde(deserialize_with = "null_as_default")]
    pub status: String,
    /// What a person reads.
    #[serde(deserialize_with = "null_as_default")]
    pub message: String,
    /// What a program reads.
    #[serde(deserialize_with = "null_as_default")]
    pub reason: Reason,
    /// More for a program; what is in it depends on the reason.
    pub details: Option<StatusDetails>,
    /// The HTTP status code, 0 where not known.
    #[serde(deserialize_with = "number_or_zero")]
    pub code: u16,
}

impl Status {
    /// The status of a request that was fulfilled (a deletion, for example).
    pub fn success(details: Option<StatusDetails>) -> Self {
        Self { status: "Success".to_owned(), details, ..Self::default() }
    }

    /// Whether this tells of a failure.
    pub fn is_failure(&self) -> bool {
        self.status == "Failure"
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Empty {}
        let mut out = serializer.serialize_struct("Status", 8)?;
        out.serialize_field("kind", "Status")?;
        out.serialize_field("apiVersion", "v1")?;
        out.serialize_field("metadata", &Empty {})?;
        if !self.status.is_empty() {
            out.serialize_field("status", &self.status)?;
        }
        if !self.message.is_empty() {
            out.serialize_field("message", &self.message)?;
        }
        if self.reason != Reason::Unknown {
            out.serialize_field("reason", &self.reason)?;
        }
        if let Some(details) = &self.details {
            out.serialize_field("details", details)?;
        }
        if self.code != 0 {
            out.serialize_field("code", &self.code)?;
        }
        out.end()
    }
}

/// What a Status is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StatusDetails {
    /// The name of the object, where there is one.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub name: String,
    /// The object's group.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub group: String,
    /// The object's kind or, just as often, its resource.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub kind: String,
    /// The object's uid.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub uid: String,
    /// Why, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub causes: Vec<StatusCause>,
    /// When to come back, in seconds; 0 says nothing.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "number_or_zero")]
    pub retry_after_seconds: u32,
}

/// A number that is null, or does not fit, says nothing.
fn number_or_zero<'de, D: Deserializer<'de>, T: Default + TryFrom<i64>>(deserializer: D) -> Result<T, D::Error> {
    let number = null_as_default::<_, i64>(deserializer)?;
    Ok(T::try_from(number).unwrap_or_default())
}

// The signature is serde's.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One cause of a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusCause {
    /// What a program reads: `FieldValueInvalid`, `FieldManagerConflict`, …
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub reason: String,
    /// What a person reads.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub message: String,
    /// The field it is about.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub field: String,
}

impl StatusCause {
    /// A cause.
    pub fn new(reason: impl Into<String>, message: impl Into<String>, field: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: message.into(), field: field.into() }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Why a request failed, for programs.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            /// Not said (the empty string on the wire).
            #[default]
            Unknown,
            $($(#[$doc])* $name,)+
            /// One that upstream does not define; webhooks may answer any.
            Other(Box<str>),
        }

        impl Reason {
            /// The word on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    Self::Unknown => "",
                    $(Self::$name => stringify!($name),)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for Reason {
            fn from(word: &str) -> Self {
                match word {
                    "" => Self::Unknown,
                    $(stringify!($name) => Self::$name,)+
                    other => Self::Other(other.into()),
                }
            }
        }
    };
}

reasons! {
    /// 401: who are you?
    Unauthorized,
    /// 403: not allowed to you, or not allowed now.
    Forbidden,
    /// 404.
    NotFound,
    /// 409: the name is taken.
    AlreadyExists,
    /// 409: the write is not based on the current state.
    Conflict,
    /// 410: gone for good.
    Gone,
    /// 422: the object does not validate.
    Invalid,
    /// 500: try again.
    ServerTimeout,
    /// 500: what is stored cannot be read.
    StoreReadError,
    /// 504: not done in time, and may still be done.
    Timeout,
    /// 429.
    TooManyRequests,
    /// 400.
    BadRequest,
    /// 405.
    MethodNotAllowed,
    /// 406.
    NotAcceptable,
    /// 413.
    RequestEntityTooLarge,
    /// 415.
    UnsupportedMediaType,
    /// 500.
    InternalError,
    /// 410: the resourceVersion or continue token is too old.
    Expired,
    /// 503.
    ServiceUnavailable,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Ok(Self::from(word.as_ref()))
    }
}

/// The cause upstream gives when the resourceVersion asked for has not been reached.
pub const RESOURCE_VERSION_TOO_LARGE: &str = "ResourceVersionTooLarge";
/// The cause of a write refused because the namespace is being deleted.
pub const NAMESPACE_TERMINATING: &str = "NamespaceTerminating";
/// The cause of a conflict of field managers.
pub const FIELD_MANAGER_CONFLICT: &str = "FieldManagerConflict";
/// What upstream says when the resourceVersion sent is not the current one.
pub const OPTIMISTIC_LOCK: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// A failed request: a Status with a code of 400 or more, displayed as its message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.message)]
pub struct StatusError(pub Box<Status>);

/// The result of what may fail with a Status.
pub type Result<T, E = StatusError> = std::result::Result<T, E>;

fn details_of(resource: &GroupResource, name: &str) -> StatusDetails {
    StatusDetails {
        name: name.to_owned(),
        group: resource.group.clone(),
        kind: resource.resource.clone(),
        ..StatusDetails::default()
    }
}

fn retry_after(seconds: u32) -> StatusDetails {
    StatusDetails { retry_after_seconds: seconds, ..StatusDetails::default() }
}

impl StatusError {
    /// A failure of this code, reason and message; the named constructors say what upstream says.
    pub fn new(code: u16, reason: Reason, message: impl Into<String>) -> Self {
        Self::build(code, reason, message.into(), None)
    }

    fn build(code: u16, reason: Reason, message: String, details: impl Into<Option<StatusDetails>>) -> Self {
        let details = details.into();
        Self(Box::new(Status { status: "Failure".to_owned(), message, reason, details, code }))
    }

    /// The same failure with these details.
    #[must_use]
    pub fn with_details(mut self, details: StatusDetails) -> Self {
        self.0.details = Some(details);
        self
    }

    /// The same failure with one more cause.
    #[must_use]
    pub fn with_cause(mut self, cause: StatusCause) -> Self {
        self.0.details.get_or_insert_default().causes.push(cause);
        self
    }

    /// The same failure in other words.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// The HTTP status code.
    pub fn code(&self) -> u16 {
        self.0.code
    }

    /// The reason, for programs.
    pub fn reason(&self) -> &Reason {
        &self.0.reason
    }

    /// The message, for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The Status itself.
    pub fn status(&self) -> &Status {
        &self.0
    }

    /// When to come back, in seconds, where that is said.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        self.0.details.as_ref().map(|details| details.retry_after_seconds).filter(|seconds| *seconds > 0)
    }

    /// Whether one of the causes has that reason.
    pub fn has_cause(&self, reason: &str) -> bool {
        self.0.details.as_ref().is_some_and(|details| details.causes.iter().any(|cause| cause.reason == reason))
    }

    /// Whether this is a 404 NotFound.
    pub fn is_not_found(&self) -> bool {
        self.0.reason == Reason::NotFound
    }

    /// Whether this is a 409 Conflict.
    pub fn is_conflict(&self) -> bool {
        self.0.reason == Reason::Conflict
    }

    /// Whether this is a 409 AlreadyExists.
    pub fn is_already_exists(&self) -> bool {
        self.0.reason == Reason::AlreadyExists
    }

    /// 404: no such object.
    pub fn not_found(resource: &GroupResource, name: &str) -> Self {
        let message = format!("{resource} {} not found", Quoted(name));
        Self::build(404, Reason::NotFound, message, details_of(resource, name))
    }

    /// 404: no such path, group, version or resource.
    pub fn unknown_resource() -> Self {
        let message = "the server could not find the requested resource".to_owned();
        Self::build(404, Reason::NotFound, message, StatusDetails::default())
    }

    /// 409: the name is taken.
    pub fn already_exists(resource: &GroupResource, name: &str) -> Self {
        let message = format!("{resource} {} already exists", Quoted(name));
        Self::build(409, Reason::AlreadyExists, message, details_of(resource, name))
    }

    /// 409: every name that was generated is taken; `name` is the last one.
    pub fn generate_name_conflict(resource: &GroupResource, name: &str, retry_after_seconds: u32) -> Self {
        let message = format!(
            "{resource} {} already exists, the server was not able to generate a unique name for the object",
            Quoted(name)
        );
        let details = StatusDetails { retry_after_seconds, ..details_of(resource, name) };
        Self::build(409, Reason::AlreadyExists, message, details)
    }

    /// 409: the write cannot be done on the current state.
    pub fn conflict(resource: &GroupResource, name: &str, detail: impl fmt::Display) -> Self {
        let message = format!("Operation cannot be fulfilled on {resource} {}: {detail}", Quoted(name));
        Self::build(409, Reason::Conflict, message, details_of(resource, name))
    }

    /// 409: other field managers own what is applied.
    pub fn apply_conflict(causes: Vec<StatusCause>, message: impl Into<String>) -> Self {
        let details = StatusDetails { causes, ..StatusDetails::default() };
        Self::build(409, Reason::Conflict, message.into(), details)
    }

    /// 401. An empty message becomes `not authorized`.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        let message = message.into();
        let message = if message.is_empty() { "not authorized".to_owned() } else { message };
        Self::new(401, Reason::Unauthorized, message)
    }

    /// 403. Without a resource the message is `forbidden: …`.
    pub fn forbidden(resource: &GroupResource, name: &str, detail: impl fmt::Display) -> Self {
        let message = if resource.is_empty() {
            format!("forbidden: {detail}")
        } else if name.is_empty() {
            format!("{resource} is forbidden: {detail}")
        } else {
            format!("{resource} {} is forbidden: {detail}", Quoted(name))
        };
        Self::build(403, Reason::Forbidden, message, details_of(resource, name))
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, Reason::BadRequest, message)
    }

    /// 422: the object does not validate; each error becomes a cause.
    // Taken by value: nobody needs the list afterwards, and its strings move into the causes.
    pub fn invalid(kind: &GroupKind, name: &str, errors: ErrorList) -> Self {
        let mut message = format!("{kind} {} is invalid", Quoted(name));
        if !errors.is_empty() {
            message.push_str(": ");
            message.push_str(&field::Aggregate(&errors).to_string());
        }
        let causes = errors.into_iter().map(|e| StatusCause::new(e.kind.cause(), e.body(), e.field)).collect();
        let details = StatusDetails {
            name: name.to_owned(),
            group: kind.group.clone(),
            kind: kind.kind.clone(),
            causes,
            ..StatusDetails::default()
        };
        Self::build(422, Reason::Invalid, message, details)
    }

    /// 422 without a word about the object: what a patch that cannot be applied gets.
    pub fn unprocessable() -> Self {
        let message = "the server rejected our request due to an error in our request".to_owned();
        Self::build(422, Reason::Invalid, message, StatusDetails::default())
    }

    /// 405: the resource does not have that action.
    pub fn method_not_supported(resource: &GroupResource, action: &str) -> Self {
        let message = format!("{action} is not supported on resources of kind {}", Quoted(&resource.to_string()));
        Self::build(405, Reason::MethodNotAllowed, message, details_of(resource, ""))
    }

    /// 405: the path does not have that HTTP method.
    pub fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource".to_owned();
        Self::build(405, Reason::MethodNotAllowed, message, StatusDetails::default())
    }

    /// 406.
    pub fn not_acceptable(message: impl Into<String>) -> Self {
        Self::new(406, Reason::NotAcceptable, message)
    }

    /// 415.
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(415, Reason::UnsupportedMediaType, message)
    }

    /// 413; `detail` follows `Request entity too large: `.
    pub fn request_entity_too_large(detail: impl fmt::Display) -> Self {
        Self::new(413, Reason::RequestEntityTooLarge, format!("Request entity too large: {detail}"))
    }

    /// 410 Expired: the resourceVersion or the continue token is too old.
    pub fn resource_expired(message: impl Into<String>) -> Self {
        Self::new(410, Reason::Expired, message)
    }

    /// 410 Gone.
    pub fn gone(message: impl Into<String>) -> Self {
        Self::new(410, Reason::Gone, message)
    }

    /// 504; `detail` follows `Timeout: `.
    pub fn timeout(detail: impl fmt::Display, retry_after_seconds: u32) -> Self {
        Self::build(504, Reason::Timeout, format!("Timeout: {detail}"), retry_after(retry_after_seconds))
    }

    /// 504: the server has not reached the resourceVersion asked for.
    pub fn too_large_resource_version(requested: u64, current: u64, retry_after_seconds: u32) -> Self {
        Self::timeout(format_args!("Too large resource version: {requested}, current: {current}"), retry_after_seconds)
            .with_cause(StatusCause::new(RESOURCE_VERSION_TOO_LARGE, "Too large resource version", ""))
    }

    /// 500: a passing failure of the store or of a dependency.
    pub fn server_timeout(resource: &GroupResource, operation: &str, retry_after_seconds: u32) -> Self {
        let message = format!(
            "The {operation} operation against {resource} could not be completed at this time, please try again."
        );
        let details = StatusDetails { retry_after_seconds, ..details_of(resource, operation) };
        Self::build(500, Reason::ServerTimeout, message, details)
    }

    /// 429.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self::build(429, Reason::TooManyRequests, message.into(), retry_after(retry_after_seconds))
    }

    /// 503.
    pub fn service_unavailable(message: impl Into<String>) -> Self {
        Self::new(503, Reason::ServiceUnavailable, message)
    }

    /// 500 InternalError; `error` follows `Internal error occurred: ` and is the only cause.
    pub fn internal(error: impl fmt::Display) -> Self {
        let error = error.to_string();
        let message = format!("Internal error occurred: {error}");
        Self::build(500, Reason::InternalError, message, None).with_cause(StatusCause::new("", error, ""))
    }

    /// 500 without a reason: what upstream makes of an error that is not a Status.
    pub fn unstructured(message: impl Into<String>) -> Self {
        Self::new(500, Reason::Unknown, message)
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;

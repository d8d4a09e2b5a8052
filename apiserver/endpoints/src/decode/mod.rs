//! Request bodies: read up to the limit, decoded from JSON, YAML or protobuf, and their kind checked.

mod protobuf;

use apimachinery::gvk::{GroupVersion, GroupVersionKind};
use apimachinery::status::StatusError;
use apimachinery::{json, yaml};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde_json::Value;

use crate::body::RequestBody;
use crate::negotiation::{self, ContentEncoding};

/// The largest body, in bytes: upstream's 3 MiB.
pub(crate) const MAX_BODY: usize = 3 * 1024 * 1024;

/// The whole body, or 413 if it is larger than [`MAX_BODY`].
pub(crate) async fn read(body: RequestBody) -> Result<Bytes, StatusError> {
    let too_large = || StatusError::request_entity_too_large(format_args!("limit is {MAX_BODY}"));
    let mut incoming = match body {
        RequestBody::Full(bytes) if bytes.len() > MAX_BODY => return Err(too_large()),
        RequestBody::Full(bytes) => return Ok(bytes),
        RequestBody::Incoming(incoming) => incoming,
    };
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| unreadable(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + rest.len() + data.len() > MAX_BODY {
            return Err(too_large());
        }
        // Most bodies are one frame: it is used as it came.
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// The answer to a body that breaks off or is not framed as it says: to upstream no more than an error of Go's reader.
fn unreadable(error: &hyper::Error) -> StatusError {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    let framing = source.is_some_and(|source| source.kind() == std::io::ErrorKind::InvalidInput);
    StatusError::unstructured(if framing { "malformed chunked encoding" } else { "unexpected EOF" })
}

/// What a body is to be.
pub(crate) struct Expected<'a> {
    /// The kind of the resource, or of the subresource.
    pub gvk: &'a GroupVersionKind,
    /// A built-in kind: apiVersion and kind may be left out.
    pub builtin: bool,
}

/// Decodes an object and checks that it is of the kind expected. The strict errors are for `fieldValidation`.
pub(crate) fn object(
    bytes: &[u8],
    encoding: ContentEncoding,
    expected: &Expected<'_>,
) -> Result<registry::Body, StatusError> {
    let wanted = &expected.gvk.kind;
    let unrecognized = |error: String| {
        let summary = summary(bytes);
        StatusError::bad_request(format!(
            "the object provided is unrecognized (must be of type {wanted}): {error} ({summary})"
        ))
    };
    let mut unreadable_number = None;
    let (mut value, strict_errors) = match encoding {
        ContentEncoding::Json => {
            let duplicates = if expected.builtin { json::Duplicates::Merge } else { json::Duplicates::Last };
            let decoded = json::decode(bytes, duplicates)
                .map_err(|error| unrecognized(format!("couldn't get version/kind; json parse error: {error}")))?;
            let json::Decoded { value, mut repeated, out_of_range } = decoded;
            unreadable_number = out_of_range;
            if expected.builtin && !repeated.is_empty() {
                keep_known(&mut repeated, &value, expected.gvk);
            }
            (value, repeated)
        }
        ContentEncoding::Yaml => {
            let yaml::Decoded { value, repeated } = yaml::decode(bytes).map_err(|error| {
                unrecognized(format!(
                    "couldn't get version/kind; json parse error: error converting YAML to JSON: {error}"
                ))
            })?;
            (value, yaml_errors(repeated))
        }
        // Custom resources have no messages.
        ContentEncoding::Protobuf if !expected.builtin => return Err(negotiation::no_protobuf()),
        ContentEncoding::Protobuf => (protobuf::object(bytes, expected.gvk)?, Vec::new()),
    };
    if value.is_null() {
        // Go's decoder reads null as an object without fields.
        value = Value::Object(Default::default());
        if !expected.builtin {
            return Err(unrecognized(missing_kind(bytes)));
        }
    }
    let Value::Object(object) = &mut value else {
        return Err(unrecognized(format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type {TYPE_META}",
            json::type_word(&value)
        )));
    };
    let type_meta = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(other) => Err(format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go struct field .{name} of type \
             string",
            json::type_word(other)
        )),
    };
    let kind = type_meta("kind").map_err(unrecognized)?.to_owned();
    let api_version = type_meta("apiVersion").map_err(unrecognized)?.to_owned();
    let expected_version = GroupVersion { group: expected.gvk.group.clone(), version: expected.gvk.version.clone() };
    if expected.builtin {
        check_builtin(&kind, &api_version, expected, &expected_version)?;
        object.insert("apiVersion".into(), expected_version.to_string().into());
        object.insert("kind".into(), wanted.as_str().into());
    } else {
        if kind.is_empty() {
            return Err(unrecognized(missing_kind(bytes)));
        }
    }
    if let Some(number) = unreadable_number {
        let (version, error) = (apimachinery::quote::quoted(&expected.gvk.version), json::out_of_range(&number));
        return Err(StatusError::bad_request(format!(
            "{wanted} in version {version} cannot be handled as a {wanted}: {error}"
        )));
    }
    Ok(registry::Body { value, strict_errors })
}

/// Leaves out the repetitions of fields that the kind does not have: Go's decoder passes over such a field without a look at
/// whether it was there before.
fn keep_known(repeated: &mut Vec<String>, value: &Value, gvk: &GroupVersionKind) {
    let Some(schema) = schema::builtin().kind(gvk) else { return };
    let unknown = schema.prune(&mut value.clone());
    let unknown: Vec<&str> = unknown.iter().filter_map(|error| quoted_path(error)).collect();
    repeated.retain(|error| {
        let path = quoted_path(error).unwrap_or_default();
        !unknown
            .iter()
            .any(|field| path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '['])))
    });
}

/// The field in `unknown field "spec.x"` and `duplicate field "spec.x"`.
fn quoted_path(error: &str) -> Option<&str> {
    error.split_once('"')?.1.strip_suffix('"')
}

/// Go's name for what it reads first of an object.
const TYPE_META: &str =
    r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;

fn check_builtin(
    kind: &str,
    api_version: &str,
    expected: &Expected<'_>,
    version: &GroupVersion,
) -> Result<(), StatusError> {
    let wanted = &expected.gvk.kind;
    let sent: GroupVersion = match api_version {
        "" => version.clone(),
        text => text.parse().map_err(|error| StatusError::bad_request(format!("{error}")))?,
    };
    let kind = if kind.is_empty() { wanted } else { kind };
    if kind == wanted && sent == *version {
        return Ok(());
    }
    let gvk = GroupVersionKind { group: sent.group.clone(), version: sent.version.clone(), kind: kind.to_owned() };
    if schema::builtin().kind(&gvk).is_none() {
        return Err(StatusError::bad_request(format!(
            "{kind} in version {} cannot be handled as a {wanted}: no kind {} is registered for version {} in scheme \
             \"pkg/api/legacyscheme/scheme.go:30\"",
            apimachinery::quote::quoted(&sent.version),
            apimachinery::quote::quoted(kind),
            apimachinery::quote::quoted(&sent.to_string()),
        )));
    }
    if kind == wanted {
        return Err(version_mismatch(&sent.to_string(), version));
    }
    // Upstream decodes into its internal types, which are named after the group's package.
    let package = match expected.gvk.group.split('.').next() {
        None | Some("") => "core",
        Some(package) => package,
    };
    Err(StatusError::bad_request(format!(
        "{kind} in version {} cannot be handled as a {wanted}: converting ({}.{kind}) to ({package}.{wanted}): unknown \
         conversion",
        apimachinery::quote::quoted(&sent.version),
        sent.version,
    )))
}

fn version_mismatch(sent: &str, expected: &GroupVersion) -> StatusError {
    StatusError::bad_request(format!(
        "the API version in the data ({sent}) does not match the expected API version ({expected})"
    ))
}

fn missing_kind(bytes: &[u8]) -> String {
    format!("Object 'Kind' is missing in '{}'", String::from_utf8_lossy(bytes))
}

/// Before the lines of a YAML strict error.
pub(crate) const YAML_ERRORS: &str = "yaml: unmarshal errors:\n";

/// All repeated keys make one strict error, as Go's library reports them.
fn yaml_errors(repeated: Vec<String>) -> Vec<String> {
    if repeated.is_empty() {
        return repeated;
    }
    vec![format!("{YAML_ERRORS}  {}", repeated.join("\n  "))]
}

/// The body of an apply patch: YAML (of which JSON is a part).
pub(crate) fn apply(bytes: &[u8]) -> Result<registry::Body, StatusError> {
    let yaml::Decoded { value, repeated } = yaml::decode(bytes).map_err(|error| {
        StatusError::bad_request(format!("error decoding YAML: error converting YAML to JSON: {error}"))
    })?;
    let value = if value.is_null() { Value::Object(Default::default()) } else { value };
    if !value.is_object() {
        return Err(StatusError::bad_request(format!(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of \
             type map[string]interface {{}}",
            json::type_word(&value)
        )));
    }
    Ok(registry::Body { value, strict_errors: yaml_errors(repeated) })
}

/// The body of a delete: `DeleteOptions`, or `None` if it is empty.
pub(crate) fn delete_options(bytes: &[u8], encoding: ContentEncoding) -> Result<Option<Value>, StatusError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let bad = |error: &dyn std::fmt::Display| {
        StatusError::bad_request(format!("couldn't get version/kind; json parse error: {error}"))
    };
    let value = match encoding {
        ContentEncoding::Json => json::decode(bytes, json::Duplicates::Merge).map_err(|error| bad(&error))?.value,
        ContentEncoding::Yaml => yaml::decode(bytes).map_err(|error| bad(&error))?.value,
        ContentEncoding::Protobuf => protobuf::delete_options(bytes)?,
    };
    if value.is_null() {
        return Ok(Some(Value::Object(Default::default())));
    }
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    if !matches!(kind, "" | "DeleteOptions") {
        let version = value.get("apiVersion").and_then(Value::as_str).filter(|text| !text.is_empty()).unwrap_or("v1");
        return Err(StatusError::bad_request(format!(
            "no kind {} is registered for version {} in scheme \
             \"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27\"",
            apimachinery::quote::quoted(kind),
            apimachinery::quote::quoted(version),
        )));
    }
    Ok(Some(value))
}

/// The beginning of a body, for people: text of an object, else hexadecimal.
fn summary(bytes: &[u8]) -> String {
    const MAX: usize = 30;
    let (shown, more) = if bytes.len() > MAX { (&bytes[..MAX], " ...") } else { (bytes, "") };
    match bytes.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(shown)),
        Some(_) => {
            let hex: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{hex}{more}")
        }
    }
}

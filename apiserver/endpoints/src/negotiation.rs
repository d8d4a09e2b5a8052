//! Which form of an answer a client asks for in `Accept`, and which form a body has by its `Content-Type`.

use apimachinery::status::StatusError;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};

use crate::query::Query;

/// What upstream can say; named in its refusals.
const MEDIA_TYPES: [&str; 3] = ["application/json", "application/yaml", protobuf_encoding::MEDIA_TYPE];
/// What upstream can stream.
const STREAM_MEDIA_TYPES: [&str; 2] = ["application/json;stream=watch", protobuf_encoding::WATCH_MEDIA_TYPE];

/// An encoding of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// `application/json`
    #[default]
    Json,
    /// `application/yaml`
    Yaml,
    /// `application/vnd.kubernetes.protobuf`
    Protobuf,
}

impl Encoding {
    /// The media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => protobuf_encoding::MEDIA_TYPE,
        }
    }
}

/// What to make of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Convert {
    /// The kind asked for.
    pub kind: ConvertKind,
    /// `v1` or `v1beta1` of `meta.k8s.io`.
    pub version: &'static str,
}

/// A kind of `meta.k8s.io` that objects can be shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConvertKind {
    /// Rows of printed cells.
    Table,
    /// An object's metadata.
    PartialObjectMetadata,
    /// The metadata of a list's objects.
    PartialObjectMetadataList,
}

/// The form of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// The encoding.
    pub encoding: Encoding,
    /// What to show objects as.
    pub convert: Option<Convert>,
    /// Indented.
    pub pretty: bool,
}

/// The parameters `as`, `g` and `v` as sent.
#[derive(Default)]
struct Target<'a> {
    kind: &'a str,
    group: &'a str,
    version: &'a str,
}

/// What an endpoint can answer. The first encoding is the one that clients without a wish get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Objects of a resource: also as Table and PartialObjectMetadata.
    Resource {
        /// The objects themselves have a protobuf form; PartialObjectMetadata always has.
        protobuf: bool,
    },
    /// A document without other forms.
    Document,
    /// Aggregated discovery: nothing but `APIGroupDiscoveryList`.
    Aggregated,
}

struct Clause<'a> {
    kind: &'a str,
    subkind: &'a str,
    q: f64,
    params: Vec<(&'a str, &'a str)>,
}

/// The clauses of `Accept`, the most wanted first (goautoneg's order: by q, else as sent).
fn clauses(header: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<Clause<'_>> = header
        .split(',')
        .filter_map(|part| {
            let mut parts = part.trim().split(';');
            let media = parts.next()?.trim();
            let (kind, subkind) = match media.split_once('/') {
                Some(both) => both,
                None if media == "*" => ("*", "*"),
                None => return None,
            };
            let mut clause = Clause { kind, subkind, q: 1.0, params: Vec::new() };
            for param in parts {
                let Some((key, value)) = param.split_once('=') else { continue };
                let (key, value) = (key.trim(), value.trim().trim_matches('"'));
                match key {
                    "q" => clause.q = value.parse().unwrap_or(1.0),
                    _ => clause.params.push((key, value)),
                }
            }
            Some(clause)
        })
        .collect();
    clauses.sort_by(|a, b| b.q.total_cmp(&a.q));
    clauses
}

/// The `Accept` header, several of them joined.
fn accept(headers: &HeaderMap) -> &str {
    headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The form a client wants, or 406 in upstream's words.
pub(crate) fn negotiate(headers: &HeaderMap, query: &Query, endpoint: Endpoint) -> Result<Accepted, StatusError> {
    let pretty = pretty(headers, query);
    let header = accept(headers);
    if header.is_empty() {
        return Ok(Accepted { pretty, ..Accepted::default() });
    }
    for clause in clauses(header) {
        for encoding in [Encoding::Json, Encoding::Yaml, Encoding::Protobuf] {
            let matches = match (clause.kind, clause.subkind) {
                ("*", "*") | ("application", "*") => true,
                (kind, subkind) => encoding.media_type().split_once('/') == Some((kind, subkind)),
            };
            if !matches {
                continue;
            }
            if let Some(mut accepted) = accept_clause(&clause, encoding, endpoint) {
                accepted.pretty |= pretty;
                return Ok(accepted);
            }
        }
    }
    Err(not_acceptable(&MEDIA_TYPES))
}

/// One clause, unless one of its parameters asks for what the endpoint cannot do.
fn accept_clause(clause: &Clause<'_>, encoding: Encoding, endpoint: Endpoint) -> Option<Accepted> {
    let mut accepted = Accepted { encoding, ..Accepted::default() };
    let mut target: Option<Target<'_>> = None;
    for (key, value) in &clause.params {
        match *key {
            "as" => target.get_or_insert_default().kind = value,
            "g" => target.get_or_insert_default().group = value,
            "v" => target.get_or_insert_default().version = value,
            "stream" if !value.is_empty() && (*value != "watch" || encoding == Encoding::Yaml) => return None,
            "sv" if !value.is_empty() && *value != "v1" => return None,
            "pretty" => accepted.pretty = *value == "1",
            _ => {}
        }
    }
    if let Some(target) = &target {
        match endpoint {
            Endpoint::Resource { .. } => {
                let convert = convert(target)?;
                if encoding == Encoding::Protobuf && convert.kind == ConvertKind::Table {
                    return None;
                }
                accepted.convert = Some(convert);
            }
            Endpoint::Aggregated => {
                let known = target.group == "apidiscovery.k8s.io"
                    && target.version == "v2"
                    && target.kind == "APIGroupDiscoveryList";
                if !known {
                    return None;
                }
            }
            Endpoint::Document => return None,
        }
    } else if endpoint == Endpoint::Aggregated
        || encoding == Encoding::Protobuf && endpoint == (Endpoint::Resource { protobuf: false })
    {
        return None;
    }
    Some(accepted)
}

fn convert(target: &Target<'_>) -> Option<Convert> {
    let version = match (target.group, target.version) {
        ("meta.k8s.io", "v1") => "v1",
        ("meta.k8s.io", "v1beta1") => "v1beta1",
        _ => return None,
    };
    let kind = match target.kind {
        "Table" => ConvertKind::Table,
        "PartialObjectMetadata" => ConvertKind::PartialObjectMetadata,
        "PartialObjectMetadataList" => ConvertKind::PartialObjectMetadataList,
        _ => return None,
    };
    Some(Convert { kind, version })
}

/// The media type of a watch's events; there is none in YAML.
pub(crate) fn stream_media_type(accepted: &Accepted) -> Result<&'static str, StatusError> {
    match accepted.encoding {
        Encoding::Json => Ok("application/json"),
        Encoding::Protobuf => Ok(protobuf_encoding::WATCH_MEDIA_TYPE),
        Encoding::Yaml => Err(not_acceptable(&STREAM_MEDIA_TYPES)),
    }
}

fn not_acceptable(supported: &[&str]) -> StatusError {
    StatusError::not_acceptable(format!("only the following media types are accepted: {}", supported.join(", ")))
}

/// The router's own check, made before any handler's for everything but custom resources: `Some` with the refusal's
/// message if no clause names one of the `available` types (or `*/*`) outright.
pub(crate) fn route_refusal(headers: &HeaderMap, available: &[&str]) -> Option<String> {
    let header = accept(headers);
    if header.is_empty() {
        return None;
    }
    let named = header.split(',').any(|clause| {
        let media = clause.split(';').next().unwrap_or_default().trim();
        media == "*/*" || available.contains(&media)
    });
    (!named).then(|| format!("406: Not Acceptable\n\nAvailable representations: {}", available.join(", ")))
}

/// What a resource's routes can answer, for [`route_refusal`].
pub(crate) fn route_types(list: bool) -> Vec<&'static str> {
    let mut types = MEDIA_TYPES.to_vec();
    if list {
        types.extend(STREAM_MEDIA_TYPES);
    }
    types
}

/// Whether people read the answer: `pretty`, or a browser, curl or wget.
pub(crate) fn pretty(headers: &HeaderMap, query: &Query) -> bool {
    match query.first("pretty") {
        Some(value) if !value.is_empty() => matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True"),
        _ => {
            let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
            ["curl", "Wget", "Mozilla/5.0"].iter().any(|prefix| agent.starts_with(prefix))
        }
    }
}

/// An encoding of bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentEncoding {
    /// `application/json`
    Json,
    /// `application/yaml`
    Yaml,
    /// `application/vnd.kubernetes.protobuf`, for built-in kinds.
    Protobuf,
}

/// The encoding of a body, or 415 in upstream's words. Without a header it is JSON.
pub(crate) fn content_encoding(headers: &HeaderMap) -> Result<ContentEncoding, StatusError> {
    match media_type(headers) {
        "" | "application/json" => Ok(ContentEncoding::Json),
        "application/yaml" => Ok(ContentEncoding::Yaml),
        "application/vnd.kubernetes.protobuf" => Ok(ContentEncoding::Protobuf),
        _ => Err(unsupported_media_type(&MEDIA_TYPES)),
    }
}

/// The media type of a body without its parameters; empty if none was sent.
pub(crate) fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// 415: protobuf of a kind that has no messages.
pub(crate) fn no_protobuf() -> StatusError {
    unsupported_media_type(&MEDIA_TYPES[..2])
}

/// 415: the body's type is none of those.
pub(crate) fn unsupported_media_type(accepted: &[&str]) -> StatusError {
    let accepted = accepted.join(", ");
    StatusError::unsupported_media_type(format!(
        "the body of the request was in an unknown format - accepted media types include: {accepted}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECTS: Endpoint = Endpoint::Resource { protobuf: true };

    fn ask(accept: &str, endpoint: Endpoint) -> Result<Accepted, StatusError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        negotiate(&headers, &Query::default(), endpoint)
    }

    #[test]
    fn the_most_wanted_form_that_can_be_served_is_chosen() {
        let table = Some(Convert { kind: ConvertKind::Table, version: "v1" });
        let metadata = Some(Convert { kind: ConvertKind::PartialObjectMetadata, version: "v1" });
        let cases: &[(&str, Encoding, Option<Convert>)] = &[
            ("", Encoding::Json, None),
            ("*/*", Encoding::Json, None),
            ("application/*", Encoding::Json, None),
            ("application/yaml", Encoding::Yaml, None),
            ("application/json;q=0.1, application/yaml;q=0.9", Encoding::Yaml, None),
            ("text/html, application/yaml, application/json", Encoding::Yaml, None),
            ("application/vnd.kubernetes.protobuf,application/json", Encoding::Protobuf, None),
            ("application/json,application/vnd.kubernetes.protobuf", Encoding::Json, None),
            ("application/vnd.kubernetes.protobuf;stream=watch", Encoding::Protobuf, None),
            (
                "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
                Encoding::Protobuf,
                metadata.clone(),
            ),
            (
                "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1;g=meta.k8s.io",
                Encoding::Json,
                table.clone(),
            ),
            ("application/json;as=Table;v=v1;g=meta.k8s.io", Encoding::Json, table.clone()),
            ("application/json;as=Table;g=meta.k8s.io;v=v1,application/json", Encoding::Json, table.clone()),
            ("application/json;as=Nothing;v=v1;g=meta.k8s.io,application/json", Encoding::Json, None),
            ("application/json;charset=utf-8", Encoding::Json, None),
        ];
        for (header, encoding, convert) in cases {
            let accepted = ask(header, OBJECTS).unwrap_or_else(|error| panic!("{header}: {error}"));
            assert_eq!((accepted.encoding, &accepted.convert), (*encoding, convert), "{header}");
        }
    }

    #[test]
    fn custom_resources_have_a_protobuf_form_of_their_metadata_alone() {
        let custom = Endpoint::Resource { protobuf: false };
        for (header, encoding) in [
            ("application/vnd.kubernetes.protobuf,application/json", Some(Encoding::Json)),
            ("application/vnd.kubernetes.protobuf", None),
            (
                "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
                Some(Encoding::Protobuf),
            ),
        ] {
            assert_eq!(ask(header, custom).ok().map(|accepted| accepted.encoding), encoding, "{header}");
        }
    }

    #[test]
    fn what_cannot_be_served_is_refused_in_upstreams_words() {
        for header in [
            "text/html",
            "application/json;as=Table;v=v1alpha1;g=meta.k8s.io",
            "application/cbor",
            "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io",
        ] {
            assert_eq!(
                ask(header, OBJECTS).unwrap_err().to_string(),
                "only the following media types are accepted: application/json, application/yaml, \
                 application/vnd.kubernetes.protobuf",
                "{header}"
            );
        }
    }
}

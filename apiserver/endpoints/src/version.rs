//! What `/version` answers.

use apimachinery::status::{StatusDetails, StatusError};
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde::Serialize;

use crate::body::Body;
use crate::negotiation;
use crate::response::respond;
use crate::server::{Exchange, Server};

/// The document of `/version` (apimachinery's `version.Info`).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// Major number of the API served, `1`.
    pub major: String,
    /// Minor number of the API served, e.g. `36`.
    pub minor: String,
    /// Major number whose behaviour is emulated.
    pub emulation_major: String,
    /// Minor number whose behaviour is emulated.
    pub emulation_minor: String,
    /// Major number of the oldest version this one works beside.
    pub min_compatibility_major: String,
    /// Minor number of the oldest version this one works beside.
    pub min_compatibility_minor: String,
    /// The full version: upstream's with a suffix of ours, e.g. `v1.36.2+coxswain`.
    pub git_version: String,
    /// The commit built from, if known.
    pub git_commit: String,
    /// `clean`, `dirty` or empty.
    pub git_tree_state: String,
    /// When it was built (RFC 3339), if known.
    pub build_date: String,
    /// Upstream's Go version; here the language this server is written in.
    pub go_version: String,
    /// The compiler.
    pub compiler: String,
    /// `os/architecture` in Go's words, e.g. `linux/amd64`.
    pub platform: String,
}

impl Default for Info {
    /// The version whose behaviour this crate follows.
    fn default() -> Self {
        Self {
            major: "1".into(),
            minor: "36".into(),
            emulation_major: "1".into(),
            emulation_minor: "36".into(),
            min_compatibility_major: "1".into(),
            min_compatibility_minor: "35".into(),
            git_version: "v1.36.2+coxswain".into(),
            git_commit: String::new(),
            git_tree_state: String::new(),
            build_date: "1970-01-01T00:00:00Z".into(),
            go_version: "none".into(),
            compiler: "rustc".into(),
            platform: platform(),
        }
    }
}

/// This machine in Go's words: `GOOS/GOARCH`.
fn platform() -> String {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        arch => arch,
    };
    format!("{os}/{arch}")
}

/// Answers `/version`: GET, JSON only.
pub(crate) fn serve(server: &Server, exchange: &Exchange) -> Result<Response<Body>, StatusError> {
    if exchange.parts.method != Method::GET {
        return Err(StatusError::method_not_allowed());
    }
    if let Some(message) = negotiation::route_refusal(&exchange.parts.headers, &["application/json"]) {
        return Err(StatusError::not_acceptable(message).with_details(StatusDetails::default()));
    }
    let pretty = serde_json::to_vec_pretty(&server.config.version);
    let text = pretty.map_err(|error| StatusError::internal(error.to_string()))?;
    let mut response = respond(StatusCode::OK, "application/json");
    *response.body_mut() = Bytes::from(text).into();
    Ok(response)
}

//! What `/version` answers.

use serde::Serialize;

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

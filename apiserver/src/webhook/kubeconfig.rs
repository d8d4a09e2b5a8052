//! Where a webhook is and who we are to it, read from a file in kubeconfig's form: its cluster is the webhook, its user
//! this server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use admission::outbound::trust;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use rustls::ClientConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde::Deserialize;

use crate::error::Error;
use crate::files;

/// Where requests go, and how.
pub struct Remote {
    /// The URL, used as it is.
    pub url: Uri,
    /// Whom to believe, and the client certificate.
    pub tls: ClientConfig,
    /// Whom to expect instead of the URL's host.
    pub server_name: Option<ServerName<'static>>,
    /// What goes into `Authorization`.
    pub credentials: Credentials,
}

/// What goes into `Authorization`.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing; there may be a client certificate.
    None,
    /// This value.
    Fixed(String),
    /// The bearer token that the file holds when a request is sent.
    TokenFile(PathBuf),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Kubeconfig {
    #[serde(default)]
    current_context: String,
    #[serde(default)]
    contexts: Vec<NamedContext>,
    #[serde(default)]
    clusters: Vec<NamedCluster>,
    #[serde(default)]
    users: Vec<NamedUser>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Deserialize)]
struct Context {
    #[serde(default)]
    cluster: String,
    #[serde(default)]
    user: String,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Cluster {
    server: String,
    tls_server_name: Option<String>,
    insecure_skip_tls_verify: bool,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    proxy_url: Option<String>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: User,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct User {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    username: Option<String>,
    password: Option<String>,
    exec: Option<serde::de::IgnoredAny>,
    auth_provider: Option<serde::de::IgnoredAny>,
}

/// Reads a file.
///
/// # Errors
/// It cannot be read, names no webhook, or asks for what is not supported; the error names the file.
pub fn read(path: &Path) -> Result<Remote, Error> {
    let text = files::read(path)?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    parse(&text, &folder).map_err(|error| match error {
        Problem::File(error) => error,
        Problem::Content(problem) => Error::Kubeconfig { file: path.display().to_string(), problem },
    })
}

#[derive(Debug)]
enum Problem {
    File(Error),
    Content(String),
}

impl From<String> for Problem {
    fn from(problem: String) -> Self {
        Self::Content(problem)
    }
}

fn parse(text: &str, folder: &Path) -> Result<Remote, Problem> {
    let file: Kubeconfig = serde_saphyr::from_str(text).map_err(|error| first_line(&error.to_string()))?;
    let missing = |kind: &str, name: &str| format!("{kind} {name:?} does not exist");
    let wanted = file.current_context.as_str();
    let context = file.contexts.into_iter().find(|context| context.name == wanted);
    let context = context.ok_or_else(|| missing("context", wanted))?.context;
    let cluster = file.clusters.into_iter().find(|cluster| cluster.name == context.cluster);
    let cluster = cluster.ok_or_else(|| missing("cluster", &context.cluster))?.cluster;
    let user = match context.user.as_str() {
        "" => User::default(),
        name => file.users.into_iter().find(|user| user.name == name).ok_or_else(|| missing("user", name))?.user,
    };
    for (field, stated) in [
        ("insecure-skip-tls-verify", cluster.insecure_skip_tls_verify),
        ("proxy-url", cluster.proxy_url.is_some()),
        ("exec", user.exec.is_some()),
        ("auth-provider", user.auth_provider.is_some()),
    ] {
        if stated {
            return Err(format!("{field} is not supported").into());
        }
    }
    let is_url = |url: &Uri| matches!(url.scheme_str(), Some("https" | "http")) && url.host().is_some();
    let url = cluster.server.parse().ok().filter(is_url);
    let url: Uri =
        url.ok_or_else(|| format!("server {:?} is not a URL such as https://host:port/path", cluster.server))?;
    let server_name = cluster.tls_server_name.filter(|name| !name.is_empty()).map(ServerName::try_from);
    let server_name = server_name.transpose().map_err(|error| format!("tls-server-name: {error}"))?;
    let pem = |data: Option<String>, file: Option<PathBuf>, field: &str| pem(folder, data, file, field);
    let authority = pem(cluster.certificate_authority_data, cluster.certificate_authority, "certificate-authority")?;
    let certificate = pem(user.client_certificate_data, user.client_certificate, "client-certificate")?;
    let key = pem(user.client_key_data, user.client_key, "client-key")?;
    let credentials = match (user.token_file, user.token, user.username) {
        (Some(file), _, _) => Credentials::TokenFile(folder.join(file)),
        (None, Some(token), _) if !token.is_empty() => Credentials::Fixed(format!("Bearer {token}")),
        (None, _, Some(name)) if !name.is_empty() => {
            let password = user.password.unwrap_or_default();
            Credentials::Fixed(format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))))
        }
        _ => Credentials::None,
    };
    Ok(Remote { url, tls: tls(authority.as_deref(), certificate.zip(key))?, server_name, credentials })
}

/// A parser's sentence without the excerpt that follows it, which may hold secrets.
fn first_line(error: &str) -> String {
    error.lines().next().unwrap_or_default().to_owned()
}

/// The PEM of a field: inside the file, or in one beside it.
fn pem(folder: &Path, data: Option<String>, file: Option<PathBuf>, field: &str) -> Result<Option<Vec<u8>>, Problem> {
    if let Some(data) = data.filter(|data| !data.is_empty()) {
        let decoded = STANDARD.decode(data.trim()).map_err(|error| format!("{field}-data: {error}"))?;
        return Ok(Some(decoded));
    }
    match file.filter(|file| !file.as_os_str().is_empty()) {
        Some(file) => {
            let text = files::read(&folder.join(file)).map_err(|error| Problem::File(error.into()))?;
            Ok(Some(text.into_bytes()))
        }
        None => Ok(None),
    }
}

fn tls(authority: Option<&[u8]>, client: Option<(Vec<u8>, Vec<u8>)>) -> Result<ClientConfig, String> {
    let verifier = match authority {
        Some(pem) => {
            let listed = certificates(pem, "certificate-authority")?;
            trust::verifier_of(listed).map_err(|error| format!("certificate-authority: {error}"))?
        }
        None => trust::verifier("")?,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let Some((certificate, key)) = client else { return Ok(builder.with_no_client_auth()) };
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| format!("client-key: {error}"))?;
    let chain = certificates(&certificate, "client-certificate")?;
    builder.with_client_auth_cert(chain, key).map_err(|error| format!("client-certificate: {error}"))
}

fn certificates(pem: &[u8], field: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(format!("{field} holds no certificate")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("{field}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
kind: Config
apiVersion: v1
clusters:
- name: webhook
  cluster: {server: 'https://127.0.0.1:9443/authorize'}
users:
- name: me
  user: {token: t0p-s3cret}
contexts:
- name: c
  context: {cluster: webhook, user: me}
current-context: c
";

    fn problem(text: &str) -> String {
        match parse(text, Path::new("/nowhere")) {
            Ok(_) => String::new(),
            Err(Problem::Content(problem)) => problem,
            Err(Problem::File(error)) => error.to_string(),
        }
    }

    #[test]
    fn the_current_context_says_where_and_as_whom() {
        let remote = parse(GOOD, Path::new("/etc")).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(remote.url, "https://127.0.0.1:9443/authorize");
        assert!(remote.credentials == Credentials::Fixed("Bearer t0p-s3cret".into()));
        assert!(remote.server_name.is_none());
        for (user, credentials) in [
            ("{}", Credentials::None),
            ("{username: a, password: b}", Credentials::Fixed("Basic YTpi".into())),
            ("{token: t, tokenFile: tokens/t}", Credentials::TokenFile("/etc/tokens/t".into())),
        ] {
            let remote = parse(&GOOD.replace("{token: t0p-s3cret}", user), Path::new("/etc"));
            assert!(remote.is_ok_and(|remote| remote.credentials == credentials), "{user}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_and_secrets_are_not_shown() {
        for (from, to, words) in [
            ("current-context: c", "", "context \"\" does not exist"),
            ("current-context: c", "current-context: d", "context \"d\" does not exist"),
            ("cluster: webhook,", "cluster: other,", "cluster \"other\" does not exist"),
            ("user: me", "user: you", "user \"you\" does not exist"),
            ("https://127", "127", "is not a URL"),
            ("https://127", "ftp://127", "is not a URL"),
            ("{token: t0p-s3cret}", "{exec: {command: x}}", "exec is not supported"),
            ("authorize'", "authorize', insecure-skip-tls-verify: true", "insecure-skip-tls-verify is not supported"),
            ("authorize'", "authorize', proxy-url: 'http://p'", "proxy-url is not supported"),
            ("authorize'", "authorize', certificate-authority-data: '#'", "certificate-authority-data: "),
            ("authorize'", "authorize', certificate-authority-data: 'eA=='", "holds no certificate"),
            ("authorize'", "authorize', certificate-authority: ca.crt", "cannot read /nowhere/ca.crt"),
            ("clusters:", "clusters: [", ""),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let said = problem(&text);
            assert!(!said.is_empty() && said.contains(words), "{to}: {said}");
            assert!(!said.contains("s3cret") && !said.contains('\n'), "{to}: {said}");
        }
    }
}

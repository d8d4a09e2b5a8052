//! Kubeconfig files for the identities that the server's own authority signs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::pki::Pair;

/// A kubeconfig (YAML) for `user` at `server` (`https://host:port`), with every certificate inside. `tls_server_name` is what
/// the server is asked for by, where that is not its address.
pub fn render(server: &str, tls_server_name: Option<&str>, authority: &str, user: &str, pair: &Pair) -> String {
    let (ca, certificate, key) =
        (STANDARD.encode(authority), STANDARD.encode(&pair.certificate), STANDARD.encode(&pair.key));
    let name = tls_server_name.map(|name| format!("\n    tls-server-name: {name}")).unwrap_or_default();
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: coxswain
  cluster:
    server: {server}{name}
    certificate-authority-data: {ca}
users:
- name: \"{user}\"
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: coxswain
  context:
    cluster: coxswain
    user: \"{user}\"
current-context: coxswain
"
    )
}

//! Kubeconfig files for the identities that the server's own authority signs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::pki::Pair;

/// A kubeconfig (YAML) for `user` at `server` (`https://host:port`), with every certificate inside.
pub fn render(server: &str, authority: &str, user: &str, pair: &Pair) -> String {
    let (ca, certificate, key) =
        (STANDARD.encode(authority), STANDARD.encode(&pair.certificate), STANDARD.encode(&pair.key));
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: coxswain
  cluster:
    server: {server}
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

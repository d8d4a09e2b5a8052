//! Tokens of service accounts: their claims, who signs them, and what is checked of one that is shown.

mod bound;
mod claims;
mod issuer;
mod legacy;
mod objects;
mod verifier;

use std::collections::BTreeMap;

use apimachinery::user::UserInfo;
use apimachinery::validation::{is_dns1123_label, is_dns1123_subdomain};

pub use claims::{Claims, Kubernetes, Reference};
pub use issuer::{Bound, Issued, Issuer, WARN_ONLY_EXPIRATION};
pub use legacy::{INVALID_SINCE_LABEL, ISSUER as LEGACY_ISSUER, LAST_USED_LABEL, Uses};
pub use verifier::ServiceAccountTokens;

/// Every service account's user name begins so.
const PREFIX: &str = "system:serviceaccount:";
/// The group of all service accounts.
pub const ALL: &str = "system:serviceaccounts";
/// Where a user's extra values tell which credential was shown.
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// The user name of a service account.
pub fn username(namespace: &str, name: &str) -> String {
    format!("{PREFIX}{namespace}:{name}")
}

/// Namespace and name of a service account's user name; `None` for other users.
pub fn split_username(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix(PREFIX)?.split_once(':')?;
    let good = is_dns1123_label(namespace).is_empty() && is_dns1123_subdomain(name).is_empty();
    good.then_some((namespace, name))
}

/// The groups of a namespace's service accounts.
pub fn groups(namespace: &str) -> Vec<String> {
    vec![ALL.to_owned(), format!("{ALL}:{namespace}")]
}

/// Who a token says its bearer is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The service account's namespace.
    pub namespace: String,
    /// Its name and uid.
    pub account: Reference,
    /// The pod that the token is bound to.
    pub pod: Option<Reference>,
    /// The node that the token, or its pod, is bound to.
    pub node: Option<Reference>,
    /// The token's id.
    pub id: String,
}

impl Account {
    /// The user, without `system:authenticated`.
    pub fn user(&self) -> UserInfo {
        let mut extra = BTreeMap::new();
        let mut tell = |key: &str, value: &str| extra.insert(key.to_owned(), vec![value.to_owned()]);
        if let Some(pod) = self.pod.as_ref().filter(|pod| !pod.name.is_empty() && !pod.uid.is_empty()) {
            tell("authentication.kubernetes.io/pod-name", &pod.name);
            tell("authentication.kubernetes.io/pod-uid", &pod.uid);
        }
        if !self.id.is_empty() {
            tell(CREDENTIAL_ID, &credential_id(&self.id));
        }
        if let Some(node) = self.node.as_ref().filter(|node| !node.name.is_empty()) {
            tell("authentication.kubernetes.io/node-name", &node.name);
            if !node.uid.is_empty() {
                tell("authentication.kubernetes.io/node-uid", &node.uid);
            }
        }
        UserInfo {
            name: username(&self.namespace, &self.account.name),
            uid: self.account.uid.clone(),
            groups: groups(&self.namespace),
            extra,
        }
    }
}

/// How the credential of a token's id is called.
pub fn credential_id(id: &str) -> String {
    format!("JTI={id}")
}

#[cfg(test)]
mod tests;

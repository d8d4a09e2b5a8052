//! What a token says.

use serde::{Deserialize, Deserializer, Serialize};

/// The claims of a token, in the order in which they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Claims {
    /// Whom it is for.
    #[serde(rename = "aud", skip_serializing_if = "Vec::is_empty", deserialize_with = "audiences")]
    pub audiences: Vec<String>,
    /// Until when it is good, in seconds since 1970, as all times here.
    #[serde(rename = "exp", skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub expiry: Option<i64>,
    /// When it was made.
    #[serde(rename = "iat", skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub issued_at: Option<i64>,
    /// Who made it.
    #[serde(rename = "iss", skip_serializing_if = "String::is_empty")]
    pub issuer: String,
    /// Its own id.
    #[serde(rename = "jti", skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Whose it is.
    #[serde(rename = "kubernetes.io", skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Kubernetes>,
    /// Of a legacy token: the service account's namespace, the secret it is kept in, the account's name and uid.
    #[serde(rename = "kubernetes.io/serviceaccount/namespace", skip_serializing_if = "String::is_empty")]
    pub legacy_namespace: String,
    #[allow(missing_docs)]
    #[serde(rename = "kubernetes.io/serviceaccount/secret.name", skip_serializing_if = "String::is_empty")]
    pub legacy_secret: String,
    #[allow(missing_docs)]
    #[serde(rename = "kubernetes.io/serviceaccount/service-account.name", skip_serializing_if = "String::is_empty")]
    pub legacy_name: String,
    #[allow(missing_docs)]
    #[serde(rename = "kubernetes.io/serviceaccount/service-account.uid", skip_serializing_if = "String::is_empty")]
    pub legacy_uid: String,
    /// From when it is good.
    #[serde(rename = "nbf", skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub not_before: Option<i64>,
    /// The user's name.
    #[serde(rename = "sub", skip_serializing_if = "String::is_empty")]
    pub subject: String,
}

/// The claims of Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kubernetes {
    /// The service account's namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The node it is bound to, or the node of the pod it is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Reference>,
    /// The pod it is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<Reference>,
    /// The secret it is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Reference>,
    /// The service account.
    #[serde(rename = "serviceaccount")]
    pub account: Reference,
    /// Its use is noted from then on.
    #[serde(rename = "warnafter", skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub warn_after: Option<i64>,
}

/// An object that a token names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reference {
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its uid.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

/// One audience, or a list of them.
fn audiences<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Some {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Some::deserialize(from)? {
        Some::One(one) => vec![one],
        Some::Many(many) => many,
    })
}

/// A number; a fraction of a second is cut off.
fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    #[expect(clippy::cast_possible_truncation, reason = "a time beyond all times stays beyond")]
    Ok(Option::<f64>::deserialize(from)?.map(|seconds| seconds as i64))
}

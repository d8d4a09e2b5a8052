//! `--enable-bootstrap-token-auth`: tokens `<id>.<secret>` by which new nodes join, kept in secrets of `kube-system`.

use std::sync::Arc;

use admission::{Context, Lister};
use apimachinery::ObjectExt as _;
use apimachinery::gvk::GroupVersionResource;
use apimachinery::time::parse_time;
use apimachinery::user::UserInfo;
use async_trait::async_trait;
use aws_lc_rs::constant_time;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;

use crate::token::{TokenAuthenticator, TokenUser, intersect};

const NAMESPACE: &str = "kube-system";
const SECRET_TYPE: &str = "bootstrap.kubernetes.io/token";
/// The group of all who show such a token; others that a token names begin like it.
const GROUP: &str = "system:bootstrappers";

/// Knows the bootstrap tokens that there are. They name no audience: they are for this server.
pub struct BootstrapTokens {
    lister: Arc<dyn Lister>,
    audiences: Vec<String>,
}

impl BootstrapTokens {
    /// Reads secrets through `lister`, for a server of those audiences.
    pub fn new(lister: Arc<dyn Lister>, audiences: Vec<String>) -> Self {
        Self { lister, audiences }
    }
}

#[async_trait]
impl TokenAuthenticator for BootstrapTokens {
    async fn authenticate(
        &self,
        token: &str,
        audiences: &[String],
        _context: &Context,
    ) -> Result<Option<TokenUser>, Vec<String>> {
        let audiences = intersect(&self.audiences, audiences);
        let Some((id, secret)) = parts(token).filter(|_| !audiences.is_empty()) else { return Ok(None) };
        let secrets = GroupVersionResource::new("", "v1", "secrets");
        let kept = self.lister.get(&secrets, NAMESPACE, &format!("bootstrap-token-{id}")).await;
        let Some(kept) = kept.map_err(|error| vec![error.message().to_owned()])? else { return Ok(None) };
        match user(&kept, id, secret, Timestamp::now()) {
            Ok(user) => Ok(Some(TokenUser { user, audiences })),
            Err(why) => {
                // Upstream tells nobody but the log.
                tracing::info!(secret = kept.name(), why, "a bootstrap token is not taken");
                Ok(None)
            }
        }
    }
}

/// Id and secret of what looks like such a token.
fn parts(token: &str) -> Option<(&str, &str)> {
    let of_length = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    };
    token.split_once('.').filter(|(id, secret)| of_length(id, 6) && of_length(secret, 16))
}

/// The user of a token that `kept` holds, or why it is none.
fn user(kept: &Value, id: &str, secret: &str, now: Timestamp) -> Result<UserInfo, &'static str> {
    let data = |field: &str| {
        let text = kept["data"][field].as_str().unwrap_or_default();
        STANDARD.decode(text).unwrap_or_default()
    };
    if kept.deletion_timestamp().is_some() {
        return Err("it is being deleted");
    }
    if kept["type"] != SECRET_TYPE {
        return Err("the secret is of another type");
    }
    if constant_time::verify_slices_are_equal(&data("token-secret"), secret.as_bytes()).is_err() {
        return Err("it has another secret");
    }
    if data("token-id") != id.as_bytes() {
        return Err("it has another id");
    }
    let expiration = data("expiration");
    let expires = std::str::from_utf8(&expiration).ok().and_then(|text| parse_time(text).ok());
    if !expiration.is_empty() && expires.is_none_or(|expires| expires <= now) {
        return Err("it has expired");
    }
    if data("usage-bootstrap-authentication") != b"true" {
        return Err("it is not for authentication");
    }
    let more = String::from_utf8(data("auth-extra-groups")).map_err(|_| "its groups are no text")?;
    let mut groups: Vec<&str> = more.split(',').filter(|_| !more.is_empty()).collect();
    if !groups.iter().all(|group| is_group(group)) {
        return Err("one of its groups is none for such tokens");
    }
    groups.push(GROUP);
    groups.sort_unstable();
    groups.dedup();
    Ok(UserInfo::new(format!("system:bootstrap:{id}"), groups))
}

/// `system:bootstrappers:` and up to 256 letters, digits, colons and dashes, the last of them none of the latter two.
fn is_group(group: &str) -> bool {
    let Some(rest) = group.strip_prefix("system:bootstrappers:") else { return false };
    let word = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    rest.len() <= 256
        && rest.bytes().all(|byte| word(byte) || b":-".contains(&byte))
        && rest.bytes().last().is_some_and(word)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_looks_like_a_token_is_taken_apart() {
        assert_eq!(parts("abc123.0123456789abcdef"), Some(("abc123", "0123456789abcdef")));
        for token in
            ["", ".", "abc123", "abc12.0123456789abcdef", "ABC123.0123456789abcdef", "abc123.0123456789abcdef.x"]
        {
            assert_eq!(parts(token), None, "{token}");
        }
    }

    #[test]
    fn a_token_is_its_own_user_while_its_secret_says_so() {
        let kept = |changes: Value| {
            let mut data = json!({
                "token-id": "abc123",
                "token-secret": "0123456789abcdef",
                "usage-bootstrap-authentication": "true",
                "auth-extra-groups": "system:bootstrappers:nodes",
                "expiration": "2030-01-01T00:00:00Z",
            });
            data.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            for value in data.as_object_mut().unwrap().values_mut() {
                *value = json!(STANDARD.encode(value.as_str().unwrap()));
            }
            json!({"metadata": {"name": "bootstrap-token-abc123"}, "type": SECRET_TYPE, "data": data})
        };
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let ask = |kept: &Value| user(kept, "abc123", "0123456789abcdef", now);
        let expected = UserInfo::new("system:bootstrap:abc123", ["system:bootstrappers", "system:bootstrappers:nodes"]);
        assert_eq!(ask(&kept(json!({}))), Ok(expected));
        assert_eq!(ask(&kept(json!({"expiration": "", "auth-extra-groups": ""}))).unwrap().groups, [GROUP]);
        for changes in [
            json!({"token-id": "abc124"}),
            json!({"token-secret": "0123456789abcdeg"}),
            json!({"token-secret": ""}),
            json!({"usage-bootstrap-authentication": "TRUE"}),
            json!({"expiration": "2025-12-31T23:59:59Z"}),
            json!({"expiration": "2026-01-01T00:00:00Z"}),
            json!({"expiration": "tomorrow"}),
            json!({"auth-extra-groups": "system:masters"}),
            json!({"auth-extra-groups": "system:bootstrappers:a,system:bootstrappers:b:"}),
        ] {
            assert!(ask(&kept(changes.clone())).is_err(), "{changes}");
        }
        let mut other = kept(json!({}));
        other["type"] = json!("Opaque");
        assert!(ask(&other).is_err());
        let mut going = kept(json!({}));
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert!(ask(&going).is_err());
    }
}

//! Who makes a request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::nullable::null_as_default;

/// The group of every authenticated user.
pub const ALL_AUTHENTICATED: &str = "system:authenticated";
/// The group of users who did not authenticate.
pub const ALL_UNAUTHENTICATED: &str = "system:unauthenticated";
/// The user who did not authenticate.
pub const ANONYMOUS: &str = "system:anonymous";
/// The group that may do everything.
pub const SYSTEM_MASTERS: &str = "system:masters";

/// An authenticated user, in the wire shape of authentication/v1 `UserInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct UserInfo {
    /// The name that identifies this user.
    #[serde(rename = "username", skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub name: String,
    /// An identifier that outlives a rename, if the authenticator knows one.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub uid: String,
    /// The groups the user is in.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub groups: Vec<String>,
    /// What else the authenticator said.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_as_default")]
    pub extra: BTreeMap<String, Vec<String>>,
}

impl UserInfo {
    /// A user of that name in those groups.
    pub fn new(name: impl Into<String>, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { name: name.into(), groups: groups.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Whether the user is in the group.
    pub fn is_in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|of| of == group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_has_the_wire_shape_of_authentication_v1() {
        let user = UserInfo::new("alice", ["dev"]);
        assert_eq!(serde_json::to_string(&user).unwrap(), r#"{"username":"alice","groups":["dev"]}"#);
        let read: UserInfo = serde_json::from_str(r#"{"username":"alice","groups":["dev"],"extra":null}"#).unwrap();
        assert_eq!(read, user);
    }
}

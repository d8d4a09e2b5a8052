//! `--token-auth-file`: bearer tokens in upstream's format, lines of `token,user,uid[,"group1,group2"]`.

use std::collections::HashMap;

use admission::Context;
use apimachinery::user::UserInfo;
use async_trait::async_trait;

use crate::token::{TokenAuthenticator, TokenUser, intersect};

/// The tokens of a file. They name no audience: they are for this server.
pub struct TokenFile {
    users: HashMap<String, UserInfo>,
    audiences: Vec<String>,
}

impl TokenFile {
    /// These tokens, for a server of those audiences.
    pub fn new(users: HashMap<String, UserInfo>, audiences: Vec<String>) -> Self {
        Self { users, audiences }
    }
}

#[async_trait]
impl TokenAuthenticator for TokenFile {
    async fn authenticate(
        &self,
        token: &str,
        audiences: &[String],
        _context: &Context,
    ) -> Result<Option<TokenUser>, Vec<String>> {
        let audiences = intersect(&self.audiences, audiences);
        if audiences.is_empty() {
            return Ok(None);
        }
        Ok(self.users.get(token).map(|user| TokenUser { user: user.clone(), audiences }))
    }
}

/// The users of a token file by token.
///
/// # Errors
/// The line that is malformed, and how.
pub fn parse(text: &str) -> Result<HashMap<String, UserInfo>, String> {
    let mut users = HashMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fields = fields(line).ok_or_else(|| format!("line {}: a quote is not closed", number + 1))?;
        let [token, name, uid, rest @ ..] = fields.as_slice() else {
            return Err(format!("line {}: token, user and uid are required", number + 1));
        };
        if token.is_empty() {
            return Err(format!("line {}: the token is empty", number + 1));
        }
        let groups = rest.first().map(String::as_str).unwrap_or_default();
        let groups = groups.split(',').map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned).collect();
        // Upstream: the last line of a token wins.
        users.insert(token.clone(), UserInfo { name: name.clone(), uid: uid.clone(), groups, ..UserInfo::default() });
    }
    Ok(users)
}

/// The fields of one comma-separated line; a field in double quotes may hold commas, and quotes doubled.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line.trim_end();
    loop {
        let Some(mut quoted) = rest.trim_start().strip_prefix('"') else {
            match rest.split_once(',') {
                Some((field, more)) => {
                    fields.push(field.trim().to_owned());
                    rest = more;
                    continue;
                }
                None => {
                    fields.push(rest.trim().to_owned());
                    return Some(fields);
                }
            }
        };
        let mut field = String::new();
        loop {
            let (part, more) = quoted.split_once('"')?;
            field.push_str(part);
            quoted = more;
            match more.strip_prefix('"') {
                Some(more) => {
                    field.push('"');
                    quoted = more;
                }
                None => break,
            }
        }
        fields.push(field);
        match quoted.trim_start().strip_prefix(',') {
            Some(more) => rest = more,
            None => return Some(fields),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_user_its_uid_and_its_groups() {
        let users = parse("t1,alice,1,\"dev,ops\"\n\nt2, bob ,2\nt3,\"a\"\"b\",3,one\n").unwrap();
        let groups = |token: &str| users[token].groups.join("+");
        assert_eq!(
            (users["t1"].name.as_str(), users["t1"].uid.as_str(), groups("t1")),
            ("alice", "1", "dev+ops".into())
        );
        assert_eq!((users["t2"].name.as_str(), groups("t2")), ("bob", String::new()));
        assert_eq!((users["t3"].name.as_str(), groups("t3")), ("a\"b", "one".into()));
    }

    #[test]
    fn a_malformed_line_is_named() {
        for (text, words) in [("t1,alice", "line 1"), ("a,b,c\n,x,y", "line 2: the token"), ("a,\"b,c", "not closed")] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }
}

//! The form of an image reference: `[host[:port]/]path[:tag][@digest]`. Pure.

/// Whether a reference names its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// By a digest, or by a tag other than `latest`.
    Named,
    /// By `latest`, or not at all, which means the same.
    Latest,
}

/// Checks a reference.
///
/// # Errors
/// What is wrong with it, for a person.
pub fn parse(reference: &str) -> Result<Version, &'static str> {
    if reference.trim() != reference {
        return Err("must not have leading or trailing whitespace");
    }
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (reference, None),
    };
    if let Some(digest) = digest {
        let (algorithm, hex) = digest.split_once(':').ok_or("the digest must be <algorithm>:<hex>")?;
        let is_hex = hex.len() >= 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        if algorithm.is_empty() || !algorithm.bytes().all(|byte| byte.is_ascii_alphanumeric()) || !is_hex {
            return Err("the digest must be <algorithm>:<hex>, with at least 32 hexadecimal digits");
        }
    }
    let last_slash = name.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match name[last_slash..].find(':') {
        Some(at) => (&name[..last_slash + at], Some(&name[last_slash + at + 1..])),
        None => (name, None),
    };
    if let Some(tag) = tag {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let fits = tag.bytes().next().is_some_and(word)
            && tag.len() <= 128
            && tag.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-');
        if !fits {
            return Err("the tag must be at most 128 letters, digits, '_', '.' or '-', and not start with '.' or '-'");
        }
    }
    let path = match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => {
            let (host, port) = host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port)));
            if port.is_some_and(|port| port.parse::<u16>().is_err()) {
                return Err("the registry's port must be a number");
            }
            if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
            {
                return Err("the registry must be a host name");
            }
            path
        }
        _ => name,
    };
    let component = |part: &str| {
        let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        edge(part.bytes().next())
            && edge(part.bytes().last())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-'))
    };
    if path.is_empty() || !path.split('/').all(component) {
        return Err("the path must be of lower case letters, digits, '.', '_' and '-', in parts separated by '/'");
    }
    Ok(if digest.is_some() || tag.is_some_and(|tag| tag != "latest") { Version::Named } else { Version::Latest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_every_form_are_read() {
        let digest = format!("nginx@sha256:{}", "a".repeat(64));
        for (reference, expected) in [
            ("nginx:1.29", Version::Named),
            ("nginx", Version::Latest),
            ("nginx:latest", Version::Latest),
            ("library/nginx:1", Version::Named),
            ("registry.example.com:5000/team/app:v1.0_rc-1", Version::Named),
            ("localhost/app", Version::Latest),
            (digest.as_str(), Version::Named),
        ] {
            assert_eq!(parse(reference), Ok(expected), "{reference}");
        }
    }

    #[test]
    fn what_no_registry_could_serve_is_refused() {
        for reference in [
            "",
            " nginx",
            "Nginx",
            "nginx:",
            "nginx:-1",
            "a//b",
            "/nginx",
            "nginx@sha256",
            "nginx@sha256:zz",
            "host.io:x/a",
            "nginx:1 2",
            "-a",
        ] {
            assert!(parse(reference).is_err(), "{reference:?}");
        }
    }
}

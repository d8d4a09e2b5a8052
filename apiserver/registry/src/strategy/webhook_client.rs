//! Where a webhook is reached: `clientConfig` of admission webhooks and of conversions.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::url::Url;
use apimachinery::validation;
use base64::Engine as _;
use serde_json::Value;
use x509_parser::pem::Pem;

use super::read::{at, number_or_zero, text};

/// What is wrong with the URL of a webhook, which must be one of https.
pub(super) fn url(url: &str, path: &Path) -> ErrorList {
    const FORM: &str = "; desired format: https://host[/path]";
    let url = match Url::parse(url) {
        Ok(url) => url,
        Err(error) => return vec![Error::required(path, format!("url must be a valid URL: {error}{FORM}"))],
    };
    let mut errors = ErrorList::new();
    let mut refuse = |part: &str, why: String| errors.push(Error::invalid(path, part, why));
    if url.scheme != "https" {
        refuse(&url.scheme, format!("'https' is the only allowed URL scheme{FORM}"));
    }
    if url.host.is_empty() {
        refuse("", format!("host must be specified{FORM}"));
    }
    if let Some(user) = &url.user {
        refuse(user, "user information is not permitted in the URL".to_owned());
    }
    if !url.fragment.is_empty() {
        refuse(&url.fragment, "fragments are not permitted in the URL".to_owned());
    }
    if !url.query.is_empty() {
        refuse(&url.query, "query parameters are not permitted in the URL".to_owned());
    }
    errors
}

/// What is wrong with a reference to the service of a webhook. `name` and `namespace` say which of its fields upstream takes
/// for which.
pub(super) fn service(service: &Value, [name, namespace]: [&str; 2], path: &Path) -> ErrorList {
    let mut errors = service_port(service, [("name", name), ("namespace", namespace)], path);
    if let Some(of_url) = at(service, "path").as_str() {
        errors.extend(url_path(of_url, &path.child("path")));
    }
    errors
}

/// What is wrong with the port of a service, and with the fields that name it: what each is called, and where it is read.
pub(super) fn service_port(service: &Value, names: [(&str, &str); 2], path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for (field, of) in names {
        if text(service, of).is_empty() {
            errors.push(Error::required(&path.child(field), ""));
        }
    }
    let port = number_or_zero(service, "port");
    let wrong = validation::is_valid_port_number(port);
    if !wrong.is_empty() {
        let why = format!("port is not valid: {}", wrong.join(", "));
        errors.push(Error::invalid(&path.child("port"), port, why));
    }
    errors
}

fn url_path(text: &str, path: &Path) -> ErrorList {
    let wrong = |why: String| Error::invalid(path, text, why);
    match text {
        "" | "/" => return ErrorList::new(),
        "//" => return vec![wrong("segment[0] may not be empty".to_owned())],
        _ => {}
    }
    let mut errors = ErrorList::new();
    if !text.starts_with('/') {
        errors.push(wrong("must start with a '/'".to_owned()));
    }
    // As upstream, which drops the first byte whatever it is.
    let bytes = &text.as_bytes()[1..];
    let bytes = bytes.strip_suffix(b"/").unwrap_or(bytes);
    for (index, segment) in bytes.split(|byte| *byte == b'/').enumerate() {
        if segment.is_empty() {
            errors.push(wrong(format!("segment[{index}] may not be empty")));
            continue;
        }
        let segment = String::from_utf8_lossy(segment);
        let failures = validation::is_dns1123_subdomain(&segment);
        errors.extend(failures.into_iter().map(|why| wrong(format!("segment[{index}]: {why}"))));
    }
    errors
}

/// Why a bundle of authorities (base64 of PEM) cannot be used, in upstream's words; an empty one stands for the system's.
pub fn ca_bundle_problem(bundle: &str) -> Option<String> {
    let pem = base64::engine::general_purpose::STANDARD.decode(bundle).unwrap_or_default();
    if pem.is_empty() {
        return None;
    }
    let (mut blocks, mut broken) = (0, false);
    for block in Pem::iter_from_buffer(&pem) {
        let Ok(block) = block else { break };
        blocks += 1;
        if block.label == "CERTIFICATE" {
            match block.parse_x509() {
                Ok(_) => return None,
                Err(_) => broken = true,
            }
        }
    }
    let why = match (blocks, broken) {
        (_, true) => "failed to parse certificate: x509: malformed certificate",
        (0, false) => "unable to parse bytes as PEM block",
        (_, false) => "no valid certificate authority data seen",
    };
    Some(format!("unable to load root certificates: {why}"))
}

#[cfg(test)]
mod tests {
    use apimachinery::field::Aggregate;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_url_is_https_and_nothing_but_host_and_path() {
        for (given, want) in [
            ("https://a.b/c", ""),
            ("https://h:1", ""),
            (
                "http://u@/#f",
                "[u: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path], u: Invalid value: \"\": host must be specified; desired format: https://host[/path], u: Invalid value: \"u\": user information is not permitted in the URL, u: Invalid value: \"f\": fragments are not permitted in the URL]",
            ),
            ("https://h?q=1", "u: Invalid value: \"q=1\": query parameters are not permitted in the URL"),
            (
                "https://h:x",
                "u: Required value: url must be a valid URL: parse \"https://h:x\": invalid port \":x\" after host; desired format: https://host[/path]",
            ),
        ] {
            assert_eq!(Aggregate(&url(given, &Path::new("u"))).to_string(), want, "{given}");
        }
    }

    #[test]
    fn the_path_of_a_service_has_segments_that_are_names() {
        for (given, want) in [
            ("/", vec![]),
            ("//", vec!["segment[0] may not be empty"]),
            ("/a/b/", vec![]),
            ("/a//b", vec!["segment[1] may not be empty"]),
            ("ab", vec!["must start with a '/'"]),
        ] {
            let reference = json!({"name": "n", "namespace": "s", "port": 443, "path": given});
            let errors = service(&reference, ["name", "namespace"], &Path::new("s"));
            assert_eq!(errors.iter().map(|error| &*error.detail).collect::<Vec<_>>(), want, "{given}");
        }
        let errors = service(&json!({"port": 0}), ["name", "namespace"], &Path::new("s"));
        assert_eq!(errors.iter().map(|error| &*error.field).collect::<Vec<_>>(), ["s.name", "s.namespace", "s.port"]);
    }

    #[test]
    fn a_bundle_has_a_certificate() {
        let encoded = |pem: &str| base64::engine::general_purpose::STANDARD.encode(pem);
        let prefix = "unable to load root certificates: ";
        for (bundle, want) in [
            (String::new(), None),
            (encoded("invalid data"), Some("unable to parse bytes as PEM block")),
            (
                encoded("-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n"),
                Some("no valid certificate authority data seen"),
            ),
            (
                encoded("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                Some("failed to parse certificate: x509: malformed certificate"),
            ),
        ] {
            let want = want.map(|why| format!("{prefix}{why}"));
            assert_eq!(ca_bundle_problem(&bundle), want, "{bundle}");
        }
    }
}

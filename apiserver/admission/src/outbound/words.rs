//! Failures of connections and of calls, in the words of Go's `net` and `crypto/tls`, and of its client of the API.

use std::io;

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;

/// A connection that was not made.
pub fn dial(host: &str, port: u16, error: &io::Error) -> String {
    let place = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    format!("dial tcp {place}: {}", connect(error))
}

fn connect(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".into(),
        io::ErrorKind::ConnectionReset => "connect: connection reset by peer".into(),
        io::ErrorKind::HostUnreachable => "connect: no route to host".into(),
        io::ErrorKind::NetworkUnreachable => "connect: network is unreachable".into(),
        io::ErrorKind::TimedOut => "i/o timeout".into(),
        _ => error.to_string(),
    }
}

/// A handshake that failed.
pub fn tls(error: &io::Error) -> String {
    use rustls::CertificateError as Bad;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(bad)) => {
            let words = match bad {
                Bad::UnknownIssuer => "x509: certificate signed by unknown authority".to_owned(),
                Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                    "x509: certificate has expired or is not yet valid".to_owned()
                }
                other => format!("x509: {other}"),
            };
            format!("tls: failed to verify certificate: {words}")
        }
        _ => error.to_string(),
    }
}

#[derive(Deserialize)]
struct Status {
    kind: String,
    status: String,
    #[serde(default)]
    message: String,
}

/// The body of a success. `content_type` is the answer's.
///
/// # Errors
/// Any other answer: the message of a `Status`, or what the code means.
pub fn answered(status: StatusCode, content_type: Option<&str>, body: Bytes) -> Result<Bytes, String> {
    let code = status.as_u16();
    if (200..=206).contains(&code) {
        return Ok(body);
    }
    if let Ok(told) = serde_json::from_slice::<Status>(&body)
        && told.kind == "Status"
        && told.status != "Success"
    {
        return Err(told.message);
    }
    let is_text = content_type.is_none_or(|kind| kind.is_empty() || kind.starts_with("text/"));
    let text = if is_text { String::from_utf8_lossy(&body).trim().to_owned() } else { "unknown".to_owned() };
    let words = match code {
        400 => "the server rejected our request for an unknown reason",
        401 => "the server has asked for the client to provide credentials",
        403 | 415 => return Err(text),
        404 => "the server could not find the requested resource",
        405 => "the server does not allow this method on the requested resource",
        406 if text.is_empty() || text == "unknown" => {
            "the server was unable to respond with a content type that the client supports"
        }
        406 => return Err(text),
        409 => "the server reported a conflict",
        422 => "the server rejected our request due to an error in our request",
        429 => "the server has received too many requests and has asked us to try again later",
        503 => "the server is currently unable to handle the request",
        504 => {
            "the server was unable to return a response in the time allotted, but may still be processing the request"
        }
        500.. => {
            let text = apimachinery::quote::quoted(&text);
            return Err(format!("an error on the server ({text}) has prevented the request from succeeding"));
        }
        _ => {
            let words = format!("the server responded with the status code {code} but did not return more information");
            return Err(words);
        }
    };
    Err(words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_no_success_says_what_gos_client_says() {
        let status = r#"{"kind": "Status", "status": "Failure", "message": "told so"}"#;
        for (code, kind, body, words) in [
            (200, None, "x", Ok("x")),
            (401, None, "x", Err("the server has asked for the client to provide credentials")),
            (403, Some("text/plain"), " x\n", Err("x")),
            (403, Some("application/json"), "{}", Err("unknown")),
            (406, None, "", Err("the server was unable to respond with a content type that the client supports")),
            (418, None, "", Err("the server responded with the status code 418 but did not return more information")),
            (500, None, "x", Err("an error on the server (\"x\") has prevented the request from succeeding")),
            (503, None, "x", Err("the server is currently unable to handle the request")),
            (500, Some("application/json"), status, Err("told so")),
        ] {
            let said = answered(StatusCode::from_u16(code).unwrap(), kind, body.into());
            let words = words.map(Bytes::from).map_err(str::to_owned);
            assert_eq!(said, words, "{code} {kind:?} {body}");
        }
    }
}

//! Who is let in: tokens of service accounts, certificates and front proxies; and who is not.

mod forged;
mod front_proxy;
mod tokens;

use std::path::PathBuf;

use serde_json::{Value, json};
use tests::raw::{self, Answer, Protocol, Raw, Shown};
use tests::{ControlPlane, Kubectl};

/// kubectl with nothing but a token.
struct Bearer<'a> {
    plane: &'a ControlPlane,
    kubectl: Kubectl,
    token: String,
}

impl<'a> Bearer<'a> {
    fn new(plane: &'a ControlPlane, token: &str) -> Self {
        let kubectl = Kubectl::new(PathBuf::from("/dev/null"));
        Self { plane, kubectl, token: token.trim().to_owned() }
    }

    /// Who the token's bearer is, or what kubectl says instead.
    fn whoami(&self) -> Result<Value, String> {
        let authority = self.plane.data_dir().join("pki/ca.crt");
        let arguments = [
            "--server",
            self.plane.url(),
            "--certificate-authority",
            authority.to_str().unwrap(),
            "--token",
            &self.token,
            "auth",
            "whoami",
            "--output",
            "json",
        ];
        let output = self.kubectl.output(&arguments, "");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let review: Value = serde_json::from_slice(&output.stdout).unwrap();
        Ok(review["status"]["userInfo"].clone())
    }

    fn is_refused(&self) -> bool {
        self.whoami().is_err_and(|error| error.contains("Unauthorized"))
    }
}

/// Asks who asks, with this certificate and these headers (lines that end in `\r\n`).
fn who_is(plane: &ControlPlane, shown: Option<Shown>, headers: &str) -> Answer {
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).to_string();
    let fixed = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let head = raw::head("POST", path, &format!("{fixed}{headers}"));
    let Ok(mut connection) = Raw::open_with(plane, shown, Protocol::Http1) else { return Answer::default() };
    let _ = connection.send(&[head, body.into_bytes()].concat());
    connection.answer()
}

/// The user of an answer to [`who_is`].
fn user(answer: &Answer) -> Value {
    let review: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("no review: {answer:?}"));
    review["status"]["userInfo"].clone()
}

//! A webhook that is asked by `SubjectAccessReview` what users may do.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::json_server::JsonServer;

/// What it answers (a review's `status`) to a question (its `spec`).
pub type Rule = fn(&Value) -> Value;

/// A running webhook; it ends with the runtime.
pub struct AuthorizationWebhook {
    server: JsonServer,
    questions: Arc<Mutex<Vec<Question>>>,
}

/// How it was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The review's version.
    pub api_version: String,
    /// Its `spec`.
    pub spec: Value,
    /// The header `Authorization`.
    pub authorization: String,
}

impl AuthorizationWebhook {
    /// Starts it on a free port.
    pub async fn start(rule: Rule) -> Self {
        let questions = Arc::new(Mutex::new(Vec::new()));
        let asked = questions.clone();
        let server = JsonServer::start(&[], move |headers, review| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let authorization = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
            asked.lock().unwrap_or_else(PoisonError::into_inner).push(Question {
                api_version: text(&review["apiVersion"]),
                spec: review["spec"].clone(),
                authorization: authorization.unwrap_or_default().to_owned(),
            });
            json!({"apiVersion": review["apiVersion"], "kind": "SubjectAccessReview", "status": rule(&review["spec"])})
        });
        Self { server: server.await, questions }
    }

    /// Writes the file that tells a server where it is; the server shows `token`.
    pub fn kubeconfig(&self, folder: &Path, token: &str) -> PathBuf {
        let path = folder.join("authorization-webhook.kubeconfig");
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "webhook", "cluster": {
                "server": format!("https://{}/authorize", self.server.address),
                "certificate-authority-data": self.server.ca_bundle(),
            }}],
            "users": [{"name": "server", "user": {"token": token}}],
            "contexts": [{"name": "webhook", "context": {"cluster": "webhook", "user": "server"}}],
            "current-context": "webhook",
        });
        std::fs::write(&path, config.to_string()).expect("a file");
        path
    }

    /// The questions about a user since this was last asked.
    pub fn take_questions(&self, user: &str) -> Vec<Question> {
        let mut all = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        let (of_user, others) = std::mem::take(&mut *all).into_iter().partition(|asked| asked.spec["user"] == user);
        *all = others;
        of_user
    }
}

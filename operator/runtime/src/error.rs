//! Why an operator stops.

use std::net::SocketAddr;

/// Why an operator could not start or go on; `Display` is one clear line for a person.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag has a value that cannot be used.
    #[error("invalid value for --{flag}: {message}")]
    Flag {
        /// The flag's name without its dashes.
        flag: &'static str,
        /// What is wrong with the value.
        message: String,
    },
    /// No usable kubeconfig, and not inside a cluster.
    #[error("no API server to talk to: {0}")]
    Config(String),
    /// A port is taken or may not be bound.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why it cannot be bound.
        source: std::io::Error,
    },
    /// The API server refused or could not be reached.
    #[error("{doing}")]
    Api {
        /// What was being done.
        doing: String,
        /// The client's error.
        source: Box<kube::Error>,
    },
    /// A certificate could not be made or used.
    #[error("serving certificate: {0}")]
    Certificate(String),
}

impl Error {
    /// The error and its causes on one line.
    pub fn chain(&self) -> String {
        chain(self)
    }

    /// An API error with what was being done.
    pub fn api(doing: impl Into<String>, source: kube::Error) -> Self {
        Self::Api { doing: doing.into(), source: Box::new(source) }
    }
}

/// An error and its causes on one line, without repeating what an outer error already says.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        source = cause.source();
    }
    line
}

/// What the API server said, or what went wrong on the way there, on one line.
pub fn brief(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => chain(other),
    }
}

/// [`brief`] for a client's error, [`chain`] for any other.
pub fn line(error: &(dyn std::error::Error + 'static)) -> String {
    match error.downcast_ref::<kube::Error>() {
        Some(error) => brief(error),
        None => chain(error),
    }
}

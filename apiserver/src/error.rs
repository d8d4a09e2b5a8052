//! Why a server does not start or stops. Each shows as one line.

use std::net::SocketAddr;

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The options do not make sense.
    #[error("{0}")]
    Options(String),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] crate::files::FileError),
    /// The certificate authority cannot be used.
    #[error(transparent)]
    Pki(#[from] crate::pki::Error),
    /// A certificate or key that was given cannot be used.
    #[error("{file}: {problem}")]
    Pem {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The certificates cannot be used for serving.
    #[error(transparent)]
    Tls(#[from] endpoints::tls::Error),
    /// A file in kubeconfig's form cannot be used.
    #[error("{file}: {problem}")]
    Kubeconfig {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The token file is malformed.
    #[error("{file}: {problem}")]
    Tokens {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of definitions is malformed.
    #[error("{file}: {problem}")]
    Definitions {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The server in front cannot be used.
    #[error("the host: {0}")]
    Host(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A part of the control plane beside the server failed.
    #[error("{0}: {1}")]
    Part(String, String),
    /// The store cannot be opened.
    #[error("{0}")]
    Storage(String),
    /// The first objects cannot be written, or the resource definitions not be read.
    #[error("cannot prepare the store: {0}")]
    Prepare(String),
}

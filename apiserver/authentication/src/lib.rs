//! Authentication by tokens: whose a bearer token is, and the tokens that this server signs itself.
//!
//! [`jws`] and [`keys`] are the signatures, which controllers know too; [`service_account`] makes and verifies the tokens of service accounts,
//! [`openid`] tells others how to verify them; [`request`] and [`certificate`] read what a client shows. Nothing here decides
//! whether a connection or its certificate is to be believed: that is `endpoints`'.

pub mod bootstrap_token;
pub mod certificate;
pub mod key_ring;
pub mod openid;
pub mod request;
pub mod service_account;
pub mod token;
pub mod token_file;

pub use jose::{jws, keys, pem};
pub use key_ring::KeyRing;
pub use token::{TokenAuthenticator, TokenUser};

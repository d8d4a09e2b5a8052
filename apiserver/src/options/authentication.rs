//! Options of authentication: tokens of service accounts, and front proxies.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use endpoints::authentication::{AUDIENCE, Headers};

use super::duration;
use crate::error::Error;

/// The shortest and the longest that `--service-account-max-token-expiration` may say.
const MAX_EXPIRATION: std::ops::RangeInclusive<u64> = 3600..=1 << 32;

/// How requests are authenticated.
#[derive(Args, Clone, Debug)]
pub struct AuthenticationOptions {
    /// Names of the issuer of service account tokens; the first signs, all are accepted (default:
    /// `https://kubernetes.default.svc`)
    #[arg(long, value_name = "NAME", help_heading = "Authentication")]
    pub service_account_issuer: Vec<String>,

    /// Private key that signs service account tokens, PEM (default: CERT_DIR/sa.key, made when needed)
    #[arg(long, value_name = "FILE", help_heading = "Authentication")]
    pub service_account_signing_key_file: Option<PathBuf>,

    /// Keys, private or public, that verify service account tokens, PEM (default: the signing key)
    #[arg(long, value_name = "FILE", help_heading = "Authentication")]
    pub service_account_key_file: Vec<PathBuf>,

    /// Whether the objects that a service account token names must exist
    #[arg(
        long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", require_equals = true,
        action = clap::ArgAction::Set, value_name = "BOOL", help_heading = "Authentication"
    )]
    pub service_account_lookup: bool,

    /// Where the discovery document says that the issuer's keys are, an https URL
    #[arg(long, value_name = "URL", help_heading = "Authentication")]
    pub service_account_jwks_uri: Option<String>,

    /// Longest time for which a service account token is made (0: no limit)
    #[arg(long, default_value = "0", value_parser = duration, value_name = "DURATION", help_heading = "Authentication")]
    pub service_account_max_token_expiration: Duration,

    /// Whether tokens that are mounted into pods stay good for a year
    #[arg(
        long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", require_equals = true,
        action = clap::ArgAction::Set, value_name = "BOOL", help_heading = "Authentication"
    )]
    pub service_account_extend_token_expiration: bool,

    /// Names of this server that tokens are made for (default: those of the issuer)
    #[arg(long, value_delimiter = ',', value_name = "NAME,...", help_heading = "Authentication")]
    pub api_audiences: Vec<String>,

    /// Authorities of front proxies, PEM; without any, no proxy is believed
    #[arg(long, value_name = "FILE", help_heading = "Authentication")]
    pub requestheader_client_ca_file: Option<PathBuf>,

    /// Common names of front proxies (none: any with a certificate of those authorities)
    #[arg(long, value_delimiter = ',', value_name = "NAME,...", help_heading = "Authentication")]
    pub requestheader_allowed_names: Vec<String>,

    /// Headers in which a proxy gives the user's name; X-Remote-User is common
    #[arg(long, value_delimiter = ',', value_name = "HEADER,...", help_heading = "Authentication")]
    pub requestheader_username_headers: Vec<String>,

    /// Headers in which a proxy gives the user's uid; X-Remote-Uid is common
    #[arg(long, value_delimiter = ',', value_name = "HEADER,...", help_heading = "Authentication")]
    pub requestheader_uid_headers: Vec<String>,

    /// Headers in which a proxy gives the user's groups; X-Remote-Group is common
    #[arg(long, value_delimiter = ',', value_name = "HEADER,...", help_heading = "Authentication")]
    pub requestheader_group_headers: Vec<String>,

    /// Beginnings of headers in which a proxy gives extra values; X-Remote-Extra- is common
    #[arg(long, value_delimiter = ',', value_name = "PREFIX,...", help_heading = "Authentication")]
    pub requestheader_extra_headers_prefix: Vec<String>,
}

impl AuthenticationOptions {
    /// Checks what can be checked without reading files, in upstream's words.
    pub(super) fn check(&self) -> Result<(), Error> {
        let wrong = |words: String| Err(Error::Options(words));
        for (at, issuer) in self.service_account_issuer.iter().enumerate() {
            if issuer.is_empty() {
                return wrong("service-account-issuer should not be an empty string".to_owned());
            }
            if self.service_account_issuer[..at].contains(issuer) {
                return wrong(format!("service-account-issuer {issuer:?} is already specified"));
            }
        }
        if !self.service_account_lookup {
            // Whoever holds a token of an account that is gone would still be that account.
            return wrong("--service-account-lookup=false is not supported: tokens end with what they name".to_owned());
        }
        if let Some(uri) = self.service_account_jwks_uri.as_ref().filter(|uri| !uri.starts_with("https://")) {
            return wrong(format!("service-account-jwks-uri requires https scheme, parsed as: {uri}"));
        }
        let most = self.service_account_max_token_expiration.as_secs();
        if most != 0 && !MAX_EXPIRATION.contains(&most) {
            let words = "the service-account-max-token-expiration must be between 1 hour and 2^32 seconds";
            return wrong(words.to_owned());
        }
        if self.requestheader_allowed_names.iter().any(|name| name.trim().is_empty()) {
            return wrong("empty value in \"requestheader-allowed-names\"".to_owned());
        }
        self.headers().map(drop)
    }

    /// The issuer's names; the first signs.
    pub(crate) fn issuers(&self) -> Vec<String> {
        match self.service_account_issuer.as_slice() {
            [] => vec![AUDIENCE.to_owned()],
            given => given.to_vec(),
        }
    }

    /// Whom tokens are to be for.
    pub(crate) fn audiences(&self) -> Vec<String> {
        if self.api_audiences.is_empty() { self.issuers() } else { self.api_audiences.clone() }
    }

    /// The headers in which proxies name users.
    pub(crate) fn headers(&self) -> Result<Headers, Error> {
        Headers::new(
            &self.requestheader_username_headers,
            &self.requestheader_uid_headers,
            &self.requestheader_group_headers,
            &self.requestheader_extra_headers_prefix,
        )
        .map_err(|error| Error::Options(format!("--requestheader-*: {error}")))
    }
}

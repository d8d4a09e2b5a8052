//! JSON Web Signatures in their compact form, `header.payload.signature`, each part base64url without padding.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::keys::{PrivateKey, PublicKey};

/// Go reads the bits that a last character has too many.
const LENIENT: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));

/// Upstream's word for every signature that is not right.
pub const BAD_SIGNATURE: &str = "go-jose/go-jose: error in cryptographic primitive";

/// A token taken apart. Nothing in it is to be believed before [`Jws::verify`].
#[derive(Debug)]
pub struct Jws<'a> {
    signed: &'a str,
    header: Header,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

#[derive(Debug, Deserialize)]
struct Header {
    #[serde(default)]
    alg: String,
    #[serde(default)]
    kid: String,
    crit: Option<Vec<String>>,
    /// A key that the token brings along; never used, and refused unless upstream would read on.
    jwk: Option<Box<RawValue>>,
    b64: Option<bool>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart; `None` if it has not the form of one.
    pub fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if payload.contains('.') {
            return None;
        }
        let header: Header = serde_json::from_slice(&LENIENT.decode(header).ok()?).ok()?;
        if header.jwk.is_some() {
            return None;
        }
        let payload = LENIENT.decode(payload).ok()?;
        let signature = LENIENT.decode(signature).ok()?;
        Some(Self { signed, header, payload, signature })
    }

    /// The id of the key that the token says it is signed with; empty if it says nothing.
    pub fn key_id(&self) -> &str {
        &self.header.kid
    }

    /// The payload, if the key has signed it with an algorithm of its own kind.
    ///
    /// # Errors
    /// [`BAD_SIGNATURE`]
    pub fn verify(&self, key: &PublicKey) -> Result<&[u8], &'static str> {
        // The one extension that upstream knows changes what is signed; no token of a service account uses it.
        let extended =
            self.header.crit.as_ref().is_some_and(|names| !names.is_empty()) || self.header.b64 == Some(false);
        if extended || !key.verify(&self.header.alg, self.signed.as_bytes(), &self.signature) {
            return Err(BAD_SIGNATURE);
        }
        Ok(&self.payload)
    }
}

/// The payload of a token whose signature is not looked at; `None` if it has not the form of a token.
pub fn unverified_payload(token: &str) -> Option<Vec<u8>> {
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    LENIENT.decode(payload).ok()
}

/// Signs a payload.
///
/// # Errors
/// The key cannot sign.
pub fn sign(key: &PrivateKey, payload: &[u8]) -> Result<String, crate::keys::Error> {
    let public = key.public();
    let header = serde_json::json!({"alg": public.algorithm().name(), "kid": public.id()}).to_string();
    let mut token = URL_SAFE_NO_PAD.encode(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing;

    #[test]
    fn what_a_key_has_signed_is_verified_by_that_key_alone() {
        for key in testing::all() {
            let token = sign(key, b"{}").unwrap();
            let jws = Jws::parse(&token).unwrap();
            assert_eq!(jws.key_id(), key.public().id());
            assert_eq!(jws.verify(key.public()).unwrap(), b"{}", "{:?}", key.public().algorithm());
            for other in testing::all().iter().filter(|other| other.public().id() != key.public().id()) {
                assert_eq!(jws.verify(other.public()), Err(BAD_SIGNATURE));
            }
            let longer = format!("{token}AA");
            assert_eq!(Jws::parse(&longer).unwrap().verify(key.public()), Err(BAD_SIGNATURE), "a longer signature");
        }
    }

    #[test]
    fn no_signature_and_one_made_with_the_public_key_as_a_secret_are_refused() {
        let key = &testing::all()[0];
        for alg in ["none", "None", "", "HS256", "ES256", "RS255", "EdDSA"] {
            let header = URL_SAFE_NO_PAD.encode(format!("{{\"alg\":\"{alg}\"}}"));
            for signature in ["", "AAAA"] {
                let token = format!("{header}.e30.{signature}");
                assert_eq!(Jws::parse(&token).unwrap().verify(key.public()), Err(BAD_SIGNATURE), "{alg}");
            }
        }
    }

    #[test]
    fn what_has_not_the_form_of_a_token_is_none() {
        let with = |header: &str| format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(header));
        for token in [
            "",
            ".",
            "..",
            "a.b",
            "e30.e30",
            "e30.e30.e30.e30",
            "e30=.e30.AAAA",
            "{}",
            "e30.e!0.AAAA",
            &with("[]"),
            &with("{\"alg\":1}"),
            &with("{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}"),
        ] {
            assert!(Jws::parse(token).is_none(), "{token}");
        }
    }
}

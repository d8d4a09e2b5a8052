//! What a certificate request (PKCS #10) asks for, and whether who made it holds the key.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use jose::pem;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry as oid;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Name;

/// The kind of a PEM section that holds a request.
const SECTION: &str = "CERTIFICATE REQUEST";

/// The subject that a request asks a certificate for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The last common name, which is the one that Go reads; empty for none.
    pub common_name: String,
    /// The organizations.
    pub organizations: Vec<String>,
}

/// The subject of a PEM request. Whether it is signed is not looked at.
///
/// # Errors
/// It is no request; Go's words where they can be told.
pub fn subject(pem: &[u8]) -> Result<Subject, String> {
    let der = first(pem)?;
    let request = parse(&der)?;
    Ok(subject_of(&request.certification_request_info.subject))
}

/// Checks that a PEM request is one and is signed with the key that it is about.
///
/// # Errors
/// Why it is not, in Go's words where they can be told.
pub fn check(pem: &[u8]) -> Result<(), String> {
    let der = first(pem)?;
    check_signature(&parse(&der)?)
}

fn first(pem: &[u8]) -> Result<Vec<u8>, String> {
    let section = pem::sections(pem).next().filter(|section| section.kind == SECTION);
    section.map(|section| section.der).ok_or_else(|| format!("PEM block type must be {SECTION}"))
}

fn parse(der: &[u8]) -> Result<X509CertificationRequest<'_>, String> {
    match X509CertificationRequest::from_der(der) {
        Ok(([], request)) => Ok(request),
        Ok(_) => Err("asn1: syntax error: trailing data".to_owned()),
        Err(x509_parser::nom::Err::Incomplete(_)) => Err("asn1: syntax error: data truncated".to_owned()),
        Err(error) => Err(format!("asn1: structure error: {error}")),
    }
}

fn subject_of(name: &X509Name<'_>) -> Subject {
    let common_name = name.iter_common_name().last().and_then(|name| name.as_str().ok());
    let organizations = name.iter_organization().filter_map(|name| name.as_str().ok()).map(str::to_owned);
    Subject { common_name: common_name.unwrap_or_default().to_owned(), organizations: organizations.collect() }
}

/// The words for signatures that are not right, by the kind of key.
const RSA: &str = "crypto/rsa: verification error";
const ECDSA: &str = "x509: ECDSA verification failure";
const ED25519: &str = "x509: Ed25519 verification failure";
const UNSUPPORTED: &str = "x509: cannot verify signature: algorithm unimplemented";

fn check_signature(request: &X509CertificationRequest<'_>) -> Result<(), String> {
    let info = &request.certification_request_info;
    let named = &request.signature_algorithm.algorithm;
    let key = info.subject_pki.parsed().map_err(|error| error.to_string())?;
    let curve = info.subject_pki.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
    let is = |known: &oid::Oid<'_>| named == known;
    let (algorithm, words): (&dyn VerificationAlgorithm, &str) = match key {
        PublicKey::RSA(_) if is(&oid::OID_PKCS1_SHA256WITHRSA) => {
            (&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA)
        }
        PublicKey::RSA(_) if is(&oid::OID_PKCS1_SHA384WITHRSA) => (&signature::RSA_PKCS1_2048_8192_SHA384, RSA),
        PublicKey::RSA(_) if is(&oid::OID_PKCS1_SHA512WITHRSA) => {
            (&signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RSA)
        }
        PublicKey::RSA(_) if is(&oid::OID_PKCS1_SHA1WITHRSA) || is(&oid::OID_SHA1_WITH_RSA) => {
            (&signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA)
        }
        PublicKey::EC(_) => {
            let hashes =
                [&oid::OID_SIG_ECDSA_WITH_SHA256, &oid::OID_SIG_ECDSA_WITH_SHA384, &oid::OID_SIG_ECDSA_WITH_SHA512];
            let hash = hashes.iter().position(|known| is(known));
            let of = |curve: &oid::Oid<'_>| -> Option<[&'static dyn VerificationAlgorithm; 3]> {
                if *curve == oid::OID_EC_P256 {
                    Some([
                        &signature::ECDSA_P256_SHA256_ASN1,
                        &signature::ECDSA_P256_SHA384_ASN1,
                        &signature::ECDSA_P256_SHA512_ASN1,
                    ])
                } else if *curve == oid::OID_NIST_EC_P384 {
                    Some([
                        &signature::ECDSA_P384_SHA256_ASN1,
                        &signature::ECDSA_P384_SHA384_ASN1,
                        &signature::ECDSA_P384_SHA512_ASN1,
                    ])
                } else if *curve == oid::OID_NIST_EC_P521 {
                    Some([
                        &signature::ECDSA_P521_SHA256_ASN1,
                        &signature::ECDSA_P521_SHA384_ASN1,
                        &signature::ECDSA_P521_SHA512_ASN1,
                    ])
                } else {
                    None
                }
            };
            let known = curve.as_ref().and_then(of).zip(hash);
            let Some((of_curve, hash)) = known else { return Err(UNSUPPORTED.to_owned()) };
            (of_curve[hash], ECDSA)
        }
        PublicKey::Unknown(_) if is(&oid::OID_SIG_ED25519) => (&signature::ED25519, ED25519),
        _ => return Err(UNSUPPORTED.to_owned()),
    };
    let key = UnparsedPublicKey::new(algorithm, &info.subject_pki.subject_public_key.data);
    key.verify(info.raw, &request.signature_value.data).map_err(|_| words.to_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SignatureAlgorithm};

    use super::*;

    fn request(algorithm: &'static SignatureAlgorithm) -> String {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "system:nodes");
        params.distinguished_name.push(DnType::CommonName, "system:node:n");
        let key = KeyPair::generate_for(algorithm).unwrap();
        params.serialize_request(&key).unwrap().pem().unwrap()
    }

    #[test]
    fn a_request_is_signed_with_its_own_key() {
        for (algorithm, words) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, ECDSA),
            (&rcgen::PKCS_ECDSA_P384_SHA384, ECDSA),
            (&rcgen::PKCS_ED25519, ED25519),
            (&rcgen::PKCS_RSA_SHA256, RSA),
        ] {
            let pem = request(algorithm);
            assert_eq!(check(pem.as_bytes()), Ok(()), "{algorithm:?}");
            let mut der = first(pem.as_bytes()).unwrap();
            let last = der.len() - 1;
            der[last] ^= 1;
            assert_eq!(check(pem::encode(SECTION, &der).as_bytes()), Err(words.to_owned()), "{algorithm:?}");
        }
    }

    #[test]
    fn the_subject_is_read_and_what_is_no_request_is_refused() {
        let pem = request(&rcgen::PKCS_ED25519);
        let expected = Subject { common_name: "system:node:n".into(), organizations: vec!["system:nodes".into()] };
        assert_eq!(subject(pem.as_bytes()), Ok(expected));
        let not_one = "PEM block type must be CERTIFICATE REQUEST";
        let der = first(pem.as_bytes()).unwrap();
        let longer = [&der[..], b"x"].concat();
        for (text, words) in [
            (String::new(), not_one),
            ("text".to_owned(), not_one),
            (pem.replace("REQUEST", "PETITION"), not_one),
            (pem::encode("A", &[]) + &pem, not_one),
            (pem::encode(SECTION, &longer), "asn1: syntax error: trailing data"),
        ] {
            assert_eq!(subject(text.as_bytes()), Err(words.to_owned()), "{text}");
        }
        for cut in [0, 1, der.len() / 2, der.len() - 1] {
            assert!(subject(pem::encode(SECTION, &der[..cut]).as_bytes()).unwrap_err().starts_with("asn1: "), "{cut}");
        }
    }
}

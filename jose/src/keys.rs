//! Keys that sign tokens and verify them: RSA and the NIST curves, as upstream takes them.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, KeyPair as _, RsaKeyPair, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use serde::Serialize;
use sha2::{Digest, Sha256};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::pem;

/// A key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text holds no key of a kind that signs tokens.
    #[error("data does not contain any valid RSA or ECDSA {0} keys")]
    NoKey(&'static str),
    /// The library refused.
    #[error("the key cannot {0}")]
    Crypto(&'static str),
}

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA, PKCS#1 v1.5, SHA-256.
    Rs256,
    /// ECDSA on P-256, SHA-256.
    Es256,
    /// ECDSA on P-384, SHA-384.
    Es384,
    /// ECDSA on P-521, SHA-512.
    Es512,
}

impl Algorithm {
    /// JOSE's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
        }
    }
}

/// A curve: how its keys sign, JOSE's name, and the bytes of a coordinate.
struct Curve {
    algorithm: Algorithm,
    oid: &'static str,
    name: &'static str,
    coordinate: usize,
    signing: &'static EcdsaSigningAlgorithm,
    verification: &'static EcdsaVerificationAlgorithm,
}

static CURVES: [Curve; 3] = [
    Curve {
        algorithm: Algorithm::Es256,
        oid: "1.2.840.10045.3.1.7",
        name: "P-256",
        coordinate: 32,
        signing: &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        verification: &signature::ECDSA_P256_SHA256_FIXED,
    },
    Curve {
        algorithm: Algorithm::Es384,
        oid: "1.3.132.0.34",
        name: "P-384",
        coordinate: 48,
        signing: &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        verification: &signature::ECDSA_P384_SHA384_FIXED,
    },
    Curve {
        algorithm: Algorithm::Es512,
        oid: "1.3.132.0.35",
        name: "P-521",
        coordinate: 66,
        signing: &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
        verification: &signature::ECDSA_P521_SHA512_FIXED,
    },
];

/// What an RSA key may have signed with.
fn rsa_parameters(algorithm: &str) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
        "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
        "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

enum Material {
    /// Modulus and exponent, big-endian.
    Rsa(Vec<u8>, Vec<u8>),
    /// The uncompressed point.
    Point(&'static Curve, Vec<u8>),
}

/// A key that verifies.
pub struct PublicKey {
    id: String,
    material: Material,
}

/// A key as a JSON Web Key.
#[derive(Clone, Debug, Serialize)]
pub struct Jwk {
    r#use: &'static str,
    kty: &'static str,
    kid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
}

impl PublicKey {
    /// The keys of a PEM text: public keys, certificates, and the public halves of private keys. Other sections are passed
    /// over.
    ///
    /// # Errors
    /// There is none.
    pub fn all_from_pem(pem: &str) -> Result<Vec<Self>, Error> {
        let keys: Vec<Self> = sections(pem)
            .filter_map(|(kind, der)| match kind {
                SectionKind::PublicKey => Self::from_spki(&der),
                SectionKind::Certificate => {
                    let (_, certificate) = x509_parser::parse_x509_certificate(&der).ok()?;
                    Self::from_spki(certificate.public_key().raw)
                }
                kind => PrivateKey::from_section(kind, &der).map(|key| key.public),
            })
            .collect();
        if keys.is_empty() { Err(Error::NoKey("public")) } else { Ok(keys) }
    }

    /// The key of a DER SubjectPublicKeyInfo; `None` for other kinds of keys.
    fn from_spki(der: &[u8]) -> Option<Self> {
        let (_, info) = SubjectPublicKeyInfo::from_der(der).ok()?;
        let material = match info.parsed().ok()? {
            x509_parser::public_key::PublicKey::RSA(key) => {
                let trimmed = |number: &[u8]| number[number.iter().take_while(|byte| **byte == 0).count()..].to_vec();
                Material::Rsa(trimmed(key.modulus), trimmed(key.exponent))
            }
            x509_parser::public_key::PublicKey::EC(point) => {
                let oid = info.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string();
                let curve = CURVES.iter().find(|curve| curve.oid == oid)?;
                let uncompressed = point.data().len() == 1 + 2 * curve.coordinate && point.data().first() == Some(&4);
                if !uncompressed {
                    return None;
                }
                Material::Point(curve, point.data().to_vec())
            }
            _ => return None,
        };
        Some(Self { id: URL_SAFE_NO_PAD.encode(Sha256::digest(info.raw)), material })
    }

    /// Its id: upstream's digest of the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How its private half signs.
    pub fn algorithm(&self) -> Algorithm {
        match &self.material {
            Material::Rsa(..) => Algorithm::Rs256,
            Material::Point(curve, _) => curve.algorithm,
        }
    }

    /// Whether the signature is of this message by this key, made with the algorithm of that JOSE name.
    pub fn verify(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Rsa(n, e) => rsa_parameters(algorithm).is_some_and(|parameters| {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }),
            Material::Point(curve, point) => {
                algorithm == curve.algorithm.name()
                    && UnparsedPublicKey::new(curve.verification, point).verify(message, signature).is_ok()
            }
        }
    }

    /// The key as others read it.
    pub fn jwk(&self) -> Jwk {
        let encoded = |bytes: &[u8]| Some(URL_SAFE_NO_PAD.encode(bytes));
        let mut key = Jwk {
            r#use: "sig",
            kty: "RSA",
            kid: self.id.clone(),
            crv: None,
            alg: self.algorithm().name(),
            x: None,
            y: None,
            n: None,
            e: None,
        };
        match &self.material {
            Material::Rsa(n, e) => (key.n, key.e) = (encoded(n), encoded(e)),
            Material::Point(curve, point) => {
                let (x, y) = point[1..].split_at(curve.coordinate);
                (key.kty, key.crv, key.x, key.y) = ("EC", Some(curve.name), encoded(x), encoded(y));
            }
        }
        key
    }
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

/// A key that signs.
pub struct PrivateKey {
    pair: Pair,
    public: PublicKey,
}

impl PrivateKey {
    /// The first private key of a PEM text (PKCS#8, PKCS#1 or SEC 1).
    ///
    /// # Errors
    /// There is none.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        sections(pem).find_map(|(kind, der)| Self::from_section(kind, &der)).ok_or(Error::NoKey("private"))
    }

    /// A new key for an algorithm, and its PEM (PKCS#8). RSA keys are of 2048 bits and take a while: to be made where that
    /// disturbs nobody.
    ///
    /// # Errors
    /// The library refused.
    pub fn generate(algorithm: Algorithm) -> Result<(Self, String), Error> {
        let refused = |_| Error::Crypto("be made");
        let (pair, der) = match CURVES.iter().find(|curve| curve.algorithm == algorithm) {
            None => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(refused)?;
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(refused)?;
                (Pair::Rsa(pair), der.as_ref().to_vec())
            }
            Some(curve) => {
                let pair = EcdsaKeyPair::generate(curve.signing).map_err(refused)?;
                let der = pair.to_pkcs8v1().map_err(refused)?.as_ref().to_vec();
                (Pair::Ecdsa(pair), der)
            }
        };
        let text = pem::encode("PRIVATE KEY", &der);
        Ok((Self::new(pair).ok_or(Error::Crypto("be made"))?, text))
    }

    fn from_section(kind: SectionKind, der: &[u8]) -> Option<Self> {
        let rsa = match kind {
            SectionKind::PrivateKey => RsaKeyPair::from_pkcs8(der).ok(),
            SectionKind::RsaPrivateKey => RsaKeyPair::from_der(der).ok(),
            _ => None,
        };
        let ecdsa = || {
            CURVES.iter().find_map(|curve| match kind {
                SectionKind::PrivateKey => EcdsaKeyPair::from_pkcs8(curve.signing, der).ok(),
                SectionKind::EcPrivateKey => EcdsaKeyPair::from_private_key_der(curve.signing, der).ok(),
                _ => None,
            })
        };
        Self::new(rsa.map(Pair::Rsa).or_else(|| ecdsa().map(Pair::Ecdsa))?)
    }

    fn new(pair: Pair) -> Option<Self> {
        let public = match &pair {
            Pair::Rsa(pair) => pair.public_key().as_der(),
            Pair::Ecdsa(pair) => pair.public_key().as_der(),
        };
        let public = PublicKey::from_spki(public.ok()?.as_ref())?;
        Some(Self { pair, public })
    }

    /// Its public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs with the key's own algorithm.
    ///
    /// # Errors
    /// The library refused.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signed = vec![0; pair.public_modulus_len()];
                let done = pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut signed);
                done.map(|()| signed).map_err(|_| Error::Crypto("sign"))
            }
            Pair::Ecdsa(pair) => {
                pair.sign(&random, message).map(|signed| signed.as_ref().to_vec()).map_err(|_| Error::Crypto("sign"))
            }
        }
    }
}

fn sections(pem: &str) -> impl Iterator<Item = (SectionKind, Vec<u8>)> + '_ {
    <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok)
}

#[cfg(test)]
pub(crate) mod testing {
    //! One key of each kind, made once.

    use std::sync::LazyLock;

    use super::*;

    static KEYS: LazyLock<Vec<PrivateKey>> = LazyLock::new(|| {
        let all = [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::Es512];
        all.map(|algorithm| PrivateKey::generate(algorithm).unwrap().0).into()
    });

    pub fn all() -> &'static [PrivateKey] {
        &KEYS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_made_is_read_back_and_says_what_it_is() {
        let (key, pem) = PrivateKey::generate(Algorithm::Rs256).unwrap();
        assert_eq!(PrivateKey::from_pem(&pem).unwrap().public().id(), key.public().id());
        let read = PublicKey::all_from_pem(&pem).unwrap();
        let jwk = serde_json::to_value(read[0].jwk()).unwrap();
        assert_eq!(
            (&jwk["kty"], &jwk["alg"], &jwk["e"], &jwk["use"], &jwk["kid"]),
            (&"RSA".into(), &"RS256".into(), &"AQAB".into(), &"sig".into(), &key.public().id().into())
        );
        assert_eq!(jwk["n"].as_str().unwrap().len(), 342);
    }

    #[test]
    fn keys_of_curves_tell_their_coordinates() {
        for (key, curve) in testing::all()[1..].iter().zip(&CURVES) {
            let jwk = serde_json::to_value(key.public().jwk()).unwrap();
            assert_eq!((&jwk["kty"], &jwk["crv"]), (&"EC".into(), &curve.name.into()));
            for coordinate in ["x", "y"] {
                let bytes = URL_SAFE_NO_PAD.decode(jwk[coordinate].as_str().unwrap()).unwrap();
                assert_eq!(bytes.len(), curve.coordinate);
            }
        }
    }

    #[test]
    fn text_without_a_key_is_refused() {
        let text = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for pem in ["", "no key", text] {
            assert!(PrivateKey::from_pem(pem).is_err());
            let error = PublicKey::all_from_pem(pem).err().unwrap().to_string();
            assert_eq!(error, "data does not contain any valid RSA or ECDSA public keys");
        }
    }
}

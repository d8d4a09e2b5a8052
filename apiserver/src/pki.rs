//! The server's own certificate authority and what it signs.
//!
//! A folder holds `ca.crt`, `ca.key` and a pair of files for every identity, and the same for front proxies under
//! `front-proxy-ca`. All are made at the first start and kept; a leaf that nears its end, lacks a name it now needs, does not fit its key, or was signed by an
//! authority since replaced is made anew.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan, Zoned, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::files::{self, FileError};

/// A certificate authority cannot be opened or cannot sign.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A key or certificate cannot be made or parsed.
    #[error("{path}: {source}")]
    Certificate {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: rcgen::Error,
    },
    /// Half of a pair is missing.
    #[error("{present} is there but {missing} is not: restore it, or remove both to have a new pair made")]
    HalfPair {
        /// The file that is there.
        present: String,
        /// The file that is not.
        missing: String,
    },
}

/// A certificate and its private key, PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The private key (PKCS#8).
    pub key: String,
}

/// What a leaf certificate says.
#[derive(Clone, Debug)]
pub enum Leaf<'a> {
    /// A server under these DNS names and IP addresses.
    Server {
        /// Common name.
        name: &'a str,
        /// DNS names and IP addresses.
        names: &'a [String],
    },
    /// A client: the common name is the user's name, the organizations are the groups.
    Client {
        /// The user.
        user: &'a str,
        /// The groups.
        groups: &'a [&'a str],
    },
}

/// A certificate authority in a folder.
pub struct Authority {
    folder: PathBuf,
    file: &'static str,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// The files and the name of the server's own authority.
const OWN: &str = "ca";
const OWN_NAME: &str = "coxswain-ca";

const AUTHORITY_YEARS: i16 = 10;
const LEAF_YEARS: i16 = 1;
/// A leaf with less than this left is made anew.
const RENEW_BEFORE_DAYS: i64 = 30;

impl Authority {
    /// Opens the authority in `folder`, or makes one there.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Self::open_as(folder, OWN, OWN_NAME)
    }

    /// Opens the authority of clients in `folder`, or makes one there: where the one that signs what the server shows is
    /// shared with others.
    pub fn of_clients(folder: &Path) -> Result<Self, Error> {
        Self::open_as(folder, "client-ca", "coxswain-client-ca")
    }

    /// Puts another authority in the place of the one in `folder`, unless it is there.
    pub fn replace(folder: &Path, pair: &Pair) -> Result<(), Error> {
        if whole_pair(folder, OWN)?.as_ref() != Some(pair) {
            write_pair(folder, OWN, pair, files::replace)?;
        }
        Ok(())
    }

    /// A new authority, which is in no folder yet.
    pub fn make() -> Result<Pair, Error> {
        make_authority(OWN_NAME).map_err(in_file(Path::new(""), &format!("{OWN}.crt")))
    }

    /// Opens the authority of front proxies in `folder`, or makes one there: another one, for who has its certificates may
    /// speak for anybody.
    pub fn of_front_proxies(folder: &Path) -> Result<Self, Error> {
        Self::open_as(folder, "front-proxy-ca", "coxswain-front-proxy-ca")
    }

    fn open_as(folder: &Path, file: &'static str, name: &str) -> Result<Self, Error> {
        let (certificate, key) = (format!("{file}.crt"), format!("{file}.key"));
        let pair = match read_pair(folder, file)? {
            (Some(certificate), Some(key)) => Pair { certificate, key },
            // The key is written first, so a stop in between leaves a key alone: such a pair was never used.
            (None, _) => {
                let made = make_authority(name).map_err(in_file(folder, &certificate))?;
                write_pair(folder, file, &made, files::replace)?;
                made
            }
            (Some(_), None) => {
                let path = |file: &str| folder.join(file).display().to_string();
                return Err(Error::HalfPair { present: path(&certificate), missing: path(&key) });
            }
        };
        let key = KeyPair::from_pem(&pair.key).map_err(in_file(folder, &key))?;
        let issuer = Issuer::from_ca_cert_pem(&pair.certificate, key).map_err(in_file(folder, &certificate))?;
        Ok(Self { folder: folder.to_owned(), file, certificate: pair.certificate, issuer })
    }

    /// The authority that has been put in the place of this one since; `None` if there is none.
    pub fn successor(&self) -> Result<Option<Self>, Error> {
        match whole_pair(&self.folder, self.file)? {
            Some(pair) if pair.certificate != self.certificate => {
                Self::open_as(&self.folder, self.file, OWN_NAME).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Its certificate and key.
    pub fn pair(&self) -> Pair {
        Pair { certificate: self.certificate.clone(), key: self.issuer.key().serialize_pem() }
    }

    /// The authority's certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The pair kept as `<file>.crt` and `<file>.key`, made if it is missing or no longer serves.
    pub fn leaf(&self, file: &str, leaf: &Leaf<'_>) -> Result<Pair, Error> {
        if let Some(pair) = whole_pair(&self.folder, file)?
            && self.serves(&pair, leaf)
        {
            return Ok(pair);
        }
        let pair = self.sign(leaf).map_err(in_file(&self.folder, &format!("{file}.crt")))?;
        write_pair(&self.folder, file, &pair, files::replace_remakable)?;
        Ok(pair)
    }

    fn sign(&self, leaf: &Leaf<'_>) -> Result<Pair, rcgen::Error> {
        let mut params = match leaf {
            Leaf::Server { names, .. } => CertificateParams::new(names.to_vec())?,
            Leaf::Client { .. } => CertificateParams::new(Vec::new())?,
        };
        let mut subject = DistinguishedName::new();
        let usage = match leaf {
            Leaf::Server { name, .. } => {
                subject.push(DnType::CommonName, *name);
                ExtendedKeyUsagePurpose::ServerAuth
            }
            Leaf::Client { user, groups } => {
                // One organization: rcgen keeps one value a type, and every identity made here has one group at most.
                if let Some(group) = groups.first() {
                    subject.push(DnType::OrganizationName, *group);
                }
                subject.push(DnType::CommonName, *user);
                ExtendedKeyUsagePurpose::ClientAuth
            }
        };
        params.distinguished_name = subject;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, LEAF_YEARS);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    fn serves(&self, pair: &Pair, leaf: &Leaf<'_>) -> bool {
        let (Some(have), Some(authority)) = (pem_body(&pair.certificate), pem_body(&self.certificate)) else {
            return false;
        };
        let (Ok((_, have)), Ok((_, authority))) =
            (X509Certificate::from_der(&have), X509Certificate::from_der(&authority))
        else {
            return false;
        };
        let renew_at = Timestamp::now().as_second() + RENEW_BEFORE_DAYS * 24 * 3600;
        let Ok(key) = KeyPair::from_pem(&pair.key) else { return false };
        have.validity().not_after.timestamp() > renew_at
            && *have.public_key().subject_public_key.data == *key.public_key_raw()
            && have.issuer() == authority.subject()
            && key_identifier(&have, true) == key_identifier(&authority, false)
            && match leaf {
                Leaf::Server { names, .. } => {
                    let has = server_names(&have);
                    names.iter().all(|name| has.contains(name))
                }
                Leaf::Client { user, groups } => {
                    let subject = have.subject();
                    subject.iter_common_name().filter_map(|n| n.as_str().ok()).eq([*user])
                        && subject.iter_organization().filter_map(|n| n.as_str().ok()).eq(groups.iter().copied())
                }
            }
    }
}

/// When a certificate (PEM) ends; `None` if it cannot be read.
pub fn ends(certificate: &str) -> Option<Timestamp> {
    let der = pem_body(certificate)?;
    let (_, parsed) = X509Certificate::from_der(&der).ok()?;
    Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()
}

fn make_authority(name: &str) -> Result<Pair, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::KeyEncipherment];
    set_validity(&mut params, AUTHORITY_YEARS);
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// From yesterday, so that a client whose clock is behind takes it, until `years` from today.
fn set_validity(params: &mut CertificateParams, years: i16) {
    let now = Zoned::new(Timestamp::now(), TimeZone::UTC);
    let day = |date: &Zoned| {
        let (year, month, day) = (date.year(), date.month(), date.day());
        date_time_ymd(i32::from(year), month.unsigned_abs(), day.unsigned_abs())
    };
    params.not_before = day(&now.saturating_sub(1.day()));
    params.not_after = day(&now.saturating_add(years.years()));
}

fn server_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(octets) => match octets.len() {
                4 => <[u8; 4]>::try_from(*octets).ok().map(|o| IpAddr::from(o).to_string()),
                16 => <[u8; 16]>::try_from(*octets).ok().map(|o| IpAddr::from(o).to_string()),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

fn key_identifier(certificate: &X509Certificate<'_>, of_issuer: bool) -> Option<Vec<u8>> {
    use x509_parser::extensions::ParsedExtension::{AuthorityKeyIdentifier, SubjectKeyIdentifier};
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        AuthorityKeyIdentifier(id) if of_issuer => id.key_identifier.as_ref().map(|k| k.0.to_vec()),
        SubjectKeyIdentifier(id) if !of_issuer => Some(id.0.to_vec()),
        _ => None,
    })
}

fn pem_body(pem: &str) -> Option<Vec<u8>> {
    x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok().map(|(_, pem)| pem.contents)
}

/// Certificate and key, as far as they are there.
fn read_pair(folder: &Path, file: &str) -> Result<(Option<String>, Option<String>), FileError> {
    let read = |kind: &str| files::read_optional(&folder.join(format!("{file}.{kind}")));
    Ok((read("crt")?, read("key")?))
}

fn whole_pair(folder: &Path, file: &str) -> Result<Option<Pair>, FileError> {
    let (certificate, key) = read_pair(folder, file)?;
    Ok(certificate.zip(key).map(|(certificate, key)| Pair { certificate, key }))
}

fn write_pair(
    folder: &Path,
    file: &str,
    pair: &Pair,
    replace: fn(&Path, &[u8], u32) -> Result<(), FileError>,
) -> Result<(), FileError> {
    replace(&folder.join(format!("{file}.key")), pair.key.as_bytes(), 0o600)?;
    replace(&folder.join(format!("{file}.crt")), pair.certificate.as_bytes(), 0o644)
}

fn in_file(folder: &Path, file: &str) -> impl FnOnce(rcgen::Error) -> Error {
    let path = folder.join(file).display().to_string();
    move |source| Error::Certificate { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMIN: Leaf<'static> = Leaf::Client { user: "admin", groups: &["system:masters"] };

    #[test]
    fn a_second_start_uses_what_the_first_one_made() {
        let dir = tempfile::tempdir().unwrap();
        let first = Authority::open(dir.path()).unwrap();
        let pair = first.leaf("admin", &ADMIN).unwrap();
        let second = Authority::open(dir.path()).unwrap();
        assert_eq!(second.certificate(), first.certificate());
        assert_eq!(second.leaf("admin", &ADMIN).unwrap().certificate, pair.certificate);
    }

    #[test]
    fn the_authority_of_front_proxies_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let (own, proxies) = (Authority::open(dir.path()).unwrap(), Authority::of_front_proxies(dir.path()).unwrap());
        assert_ne!(own.certificate(), proxies.certificate());
        let leaf = Leaf::Client { user: "front-proxy-client", groups: &[] };
        let pair = proxies.leaf("front-proxy-client", &leaf).unwrap();
        assert!(proxies.serves(&pair, &leaf) && !own.serves(&pair, &leaf));
        let again = Authority::of_front_proxies(dir.path()).unwrap();
        assert_eq!(again.leaf("front-proxy-client", &leaf).unwrap().certificate, pair.certificate);
    }

    #[test]
    fn a_serving_certificate_is_made_anew_when_it_lacks_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open(dir.path()).unwrap();
        let names = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let server = |names: &[String]| {
            authority.leaf("apiserver", &Leaf::Server { name: "apiserver", names }).unwrap().certificate
        };
        let two = server(&names(&["localhost", "127.0.0.1"]));
        assert_eq!(server(&names(&["127.0.0.1"])), two, "fewer names are served by the same certificate");
        assert_ne!(server(&names(&["localhost", "127.0.0.1", "::1"])), two);
    }

    #[test]
    fn a_leaf_that_a_power_failure_cut_short_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open(dir.path()).unwrap();
        for (file, content) in
            [("admin.key", None), ("admin.key", Some("")), ("admin.crt", None), ("admin.crt", Some(""))]
        {
            let before = authority.leaf("admin", &ADMIN).unwrap();
            let path = dir.path().join(file);
            match content {
                None => std::fs::remove_file(path).unwrap(),
                Some(content) => std::fs::write(path, content).unwrap(),
            }
            let after = authority.leaf("admin", &ADMIN).unwrap();
            assert_ne!(before.certificate, after.certificate, "{file}: {content:?}");
            assert_eq!(authority.leaf("admin", &ADMIN).unwrap().certificate, after.certificate, "{file}: {content:?}");
        }
        let other = authority.leaf("other", &ADMIN).unwrap();
        std::fs::write(dir.path().join("admin.key"), other.key).unwrap();
        let after = authority.leaf("admin", &ADMIN).unwrap();
        assert!(authority.serves(&after, &ADMIN), "a key of another pair is replaced with its certificate");
    }

    #[test]
    fn leaves_of_a_replaced_authority_are_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let old = Authority::open(dir.path()).unwrap().leaf("admin", &ADMIN).unwrap().certificate;
        std::fs::remove_file(dir.path().join("ca.crt")).unwrap();
        std::fs::remove_file(dir.path().join("ca.key")).unwrap();
        let new = Authority::open(dir.path()).unwrap().leaf("admin", &ADMIN).unwrap().certificate;
        assert_ne!(old, new);
    }

    #[test]
    fn an_authority_that_was_put_in_the_place_of_another_signs_from_then_on() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned()];
        let server = Leaf::Server { name: "apiserver", names: &names };
        let first = Authority::open(dir.path()).unwrap();
        let shown = first.leaf("apiserver", &server).unwrap();
        Authority::replace(dir.path(), &first.pair()).unwrap();
        assert!(first.successor().unwrap().is_none(), "it is the same");
        let pair = Authority::make().unwrap();
        Authority::replace(dir.path(), &pair).unwrap();
        let second = first.successor().unwrap().unwrap();
        assert_eq!(second.certificate(), pair.certificate);
        let renewed = second.leaf("apiserver", &server).unwrap();
        assert!(second.serves(&renewed, &server) && !second.serves(&shown, &server));
        assert!(second.successor().unwrap().is_none());
        assert!(ends(&pair.certificate).unwrap() > ends(&renewed.certificate).unwrap());
    }

    #[test]
    fn a_certificate_without_its_key_is_an_error_that_names_both_files() {
        let dir = tempfile::tempdir().unwrap();
        Authority::open(dir.path()).unwrap();
        std::fs::remove_file(dir.path().join("ca.key")).unwrap();
        let error = Authority::open(dir.path()).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("ca.crt") && error.contains("ca.key"), "{error}");
    }
}

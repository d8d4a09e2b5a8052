//! A certificate authority of a test's own, as harnesses make one.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};

/// An authority that lives as long as the test.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, PEM.
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl Authority {
    /// One of that name.
    pub fn new(name: &str) -> Self {
        let mut params = subject(Vec::new(), name, None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// Its certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate for a server of these names and addresses.
    pub fn server(&self, names: &[&str]) -> Pair {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.sign(subject(names, "server", None), ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate for a client: a user and its group.
    pub fn client(&self, user: &str, group: Option<&str>) -> Pair {
        self.sign(subject(Vec::new(), user, group), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Pair {
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Pair {
    /// Writes `<name>.crt` and `<name>.key` into a folder; the paths.
    pub fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let write = |end: &str, content: &str| {
            let path = folder.join(format!("{name}.{end}"));
            std::fs::write(&path, content).expect("a file");
            path
        };
        (write("crt", &self.certificate), write("key", &self.key))
    }
}

fn subject(names: Vec<String>, common_name: &str, group: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params
}

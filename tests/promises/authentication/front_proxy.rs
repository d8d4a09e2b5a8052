//! A front proxy is believed, and it alone.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tests::raw::Shown;
use tests::{ControlPlane, Part, Store, eventually, on_each_store};

use super::{user, who_is};

on_each_store!(a_front_proxy_is_believed_and_it_alone);

/// A certificate authority of a test's own.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "another authority");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// The one of a server.
    pub fn of(plane: &ControlPlane) -> Self {
        let read = |file: &str| std::fs::read_to_string(plane.data_dir().join("pki").join(file)).unwrap();
        let pem = read("ca.crt");
        let key = KeyPair::from_pem(&read("ca.key")).unwrap();
        Self { issuer: Issuer::from_ca_cert_pem(&pem, key).unwrap(), pem }
    }

    /// A client's certificate of that name and group.
    pub fn client(&self, name: &str, group: &str, change: impl FnOnce(&mut CertificateParams)) -> Shown {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, DnValue::Utf8String(group.into()));
        params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(name.into()));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        (vec![certificate], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }
}

/// A server that believes proxies called `front` of an authority.
pub(super) fn start(store: Store, authority: &Authority, folder: &Path) -> ControlPlane {
    let file = folder.join("proxies.crt");
    std::fs::write(&file, &authority.pem).unwrap();
    let flags = [
        "--requestheader-client-ca-file",
        file.to_str().unwrap(),
        "--requestheader-allowed-names=front",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-uid-headers=X-Remote-Uid",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    ];
    ControlPlane::start_with(Part::ApiServer, store, &flags)
}

const NAMED: &str = "X-Remote-User: alice\r\nX-Remote-Uid: u\r\nX-Remote-Group: dev\r\nX-Remote-Group: system:masters\r\n\
                     X-Remote-Extra-Scopes%2FRead: a\r\n";

fn a_front_proxy_is_believed_and_it_alone(store: Store) {
    let folder = tempfile::tempdir().unwrap();
    let (proxies, strangers) = (Authority::new(), Authority::new());
    let plane = start(store, &proxies, folder.path());
    let own = Authority::of(&plane);
    let proxy = || Some(proxies.client("front", "o", |_| {}));

    let answer = who_is(&plane, proxy(), NAMED);
    let expected = json!({
        "username": "alice",
        "uid": "u",
        "groups": ["dev", "system:masters", "system:authenticated"],
        "extra": {"scopes/read": ["a"]},
    });
    assert_eq!(user(&answer), expected);

    // Its certificate is nobody's own.
    assert_eq!(who_is(&plane, proxy(), "").code, 401, "a proxy that names nobody");
    let shown = || Some(own.client("bob", "system:masters", |_| {}));
    assert_eq!(user(&who_is(&plane, shown(), NAMED))["username"], "bob", "a client is itself, whatever it says");
    for (what, shown, code) in [
        ("no certificate", None, 403),
        ("a proxy of another name", Some(proxies.client("back", "o", |_| {})), 401),
        ("a proxy of another authority", Some(strangers.client("front", "o", |_| {})), 401),
    ] {
        let answer = who_is(&plane, shown, NAMED);
        assert_eq!(answer.code, code, "{what}: {answer:?}");
        assert!(!answer.body.contains("alice"), "{what}: {answer:?}");
    }

    // Servers behind this one learn of it, and whoever deletes that has it back.
    let admin = plane.kubectl().namespace("kube-system");
    let told = || -> Result<Value, String> {
        let output = admin.output(&["get", "configmap", "extension-apiserver-authentication", "-o", "json"], "");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(serde_json::from_slice::<Value>(&output.stdout).unwrap()["data"].clone())
    };
    let data = eventually("the configuration of authentication", told);
    assert_eq!(data["requestheader-client-ca-file"].as_str().unwrap().trim(), proxies.pem.replace("\r\n", "\n").trim());
    assert_eq!(data["client-ca-file"].as_str().unwrap().trim(), own.pem.replace("\r\n", "\n").trim());
    for (key, value) in [
        ("requestheader-allowed-names", r#"["front"]"#),
        ("requestheader-username-headers", r#"["X-Remote-User"]"#),
        ("requestheader-uid-headers", r#"["X-Remote-Uid"]"#),
        ("requestheader-group-headers", r#"["X-Remote-Group"]"#),
        ("requestheader-extra-headers-prefix", r#"["X-Remote-Extra-"]"#),
    ] {
        assert_eq!(data[key], value, "{key}");
    }
    admin.run(&["delete", "configmap", "extension-apiserver-authentication"]);
    assert_eq!(eventually("its return", told), data);
}

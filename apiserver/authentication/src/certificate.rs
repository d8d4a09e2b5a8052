//! Whose a client certificate is, as its subject says. Whether that is to be believed is decided elsewhere.

use apimachinery::user::UserInfo;
use sha2::{Digest, Sha256};
use x509_parser::x509::X509Name;

/// Upstream's attribute of a subject that is the user's uid.
const UID: &str = "1.3.6.1.4.1.57683.2";

/// The common name of a DER certificate; empty if it has none.
///
/// # Errors
/// It is no certificate.
pub fn common_name(certificate: &[u8]) -> Result<String, String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|error| error.to_string())?;
    Ok(name_of(parsed.subject()).unwrap_or_default())
}

/// The last common name of a subject, which is the one that Go reads.
fn name_of(subject: &X509Name<'_>) -> Option<String> {
    subject.iter_common_name().last()?.as_str().ok().map(str::to_owned)
}

/// The user of a DER certificate, without `system:authenticated`: the subject's common name, its organizations as groups, and the uid if it has
/// one. `None` if it has no common name.
///
/// # Errors
/// A subject whose uid cannot be one.
pub fn user(certificate: &[u8]) -> Result<Option<UserInfo>, String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|error| error.to_string())?;
    let subject = parsed.subject();
    let Some(name) = name_of(subject).filter(|name| !name.is_empty()) else { return Ok(None) };
    let groups = subject.iter_organization().filter_map(|group| group.as_str().ok().map(str::to_owned));
    let mut user = UserInfo::new(name, groups);
    user.uid = uid(subject)?;
    let digest = Sha256::digest(certificate);
    let id: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    user.extra.insert("authentication.kubernetes.io/credential-id".to_owned(), vec![format!("X509SHA256={id}")]);
    Ok(Some(user))
}

fn uid(subject: &X509Name<'_>) -> Result<String, String> {
    let mut uids = Vec::new();
    for attribute in subject.iter_attributes().filter(|attribute| attribute.attr_type().to_id_string() == UID) {
        uids.push(attribute.as_str().map_err(|_| "unable to parse UID into a string".to_owned())?);
    }
    match uids.as_slice() {
        [] => Ok(String::new()),
        [""] => Err("UID cannot be an empty string".to_owned()),
        [uid] => Ok((*uid).to_owned()),
        several => Err(format!("expected 1 UID, but found multiple: [{}]", several.join(" "))),
    }
}

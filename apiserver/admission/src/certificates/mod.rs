//! Certificate signing requests: who may approve and sign them, and what none may ask for. Upstream's plugins
//! `CertificateApproval`, `CertificateSigning` and `CertificateSubjectRestriction`.

pub mod request;

use std::sync::Arc;

use apimachinery::StatusError;
use apimachinery::user::{SYSTEM_MASTERS, UserInfo};
use async_trait::async_trait;
use authorization::Authorizer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::{Attributes, Context, Operation, Plugin};

const GROUP: &str = "certificates.k8s.io";

/// Whose certificates name users to the server itself.
const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";

/// Who may do `verb` with what `signer` signs: by the signer's own name, or by `<domain>/*`.
async fn may(authorizer: &dyn Authorizer, user: &Arc<UserInfo>, verb: &str, signer: &str) -> bool {
    let domain = signer.split('/').next().unwrap_or_default();
    for name in [signer.to_owned(), format!("{domain}/*")] {
        let asked = authorization::Attributes {
            resource_request: true,
            group: GROUP.to_owned(),
            version: "*".to_owned(),
            resource: "signers".to_owned(),
            name,
            ..authorization::Attributes::new(user.clone(), verb)
        };
        if authorizer.authorize(&asked).await.is_allowed() {
            return true;
        }
    }
    false
}

fn is_about(attributes: &Attributes, subresource: &str) -> bool {
    attributes.resource.group == GROUP
        && attributes.resource.resource == "certificatesigningrequests"
        && attributes.subresource == subresource
}

fn signer(request: Option<&Value>) -> &str {
    request.and_then(|request| request.pointer("/spec/signerName")).and_then(Value::as_str).unwrap_or_default()
}

/// The PEM text of the request in a CertificateSigningRequest.
pub fn pem_of(object: &Value) -> Vec<u8> {
    let text = object.pointer("/spec/request").and_then(Value::as_str).unwrap_or_default();
    STANDARD.decode(text).unwrap_or_default()
}

/// The plugin `CertificateApproval`: who approves or denies may `approve` what the signer signs.
pub struct Approval(pub Arc<dyn Authorizer>);

#[async_trait]
impl Plugin for Approval {
    fn name(&self) -> &'static str {
        "CertificateApproval"
    }

    fn handles(&self, operation: Operation) -> bool {
        operation == Operation::Update
    }

    async fn validate(&self, attributes: &Attributes, _context: &Context) -> Result<(), StatusError> {
        if !is_about(attributes, "approval") {
            return Ok(());
        }
        let signer = signer(attributes.old_object.as_deref());
        if may(&*self.0, &attributes.user, "approve", signer).await {
            return Ok(());
        }
        Err(attributes.forbidden(&format!("user not permitted to approve requests with signerName \"{signer}\"")))
    }
}

/// The plugin `CertificateSigning`: who issues a certificate or fails a request may `sign` as the signer.
pub struct Signing(pub Arc<dyn Authorizer>);

#[async_trait]
impl Plugin for Signing {
    fn name(&self) -> &'static str {
        "CertificateSigning"
    }

    fn handles(&self, operation: Operation) -> bool {
        operation == Operation::Update
    }

    async fn validate(&self, attributes: &Attributes, _context: &Context) -> Result<(), StatusError> {
        if !is_about(attributes, "status") {
            return Ok(());
        }
        let of = |object: Option<&Value>, field: &str| -> Value {
            let value = object.and_then(|object| object.pointer(field)).cloned().unwrap_or_default();
            // An empty list of conditions is none.
            if value.as_array().is_some_and(Vec::is_empty) { Value::Null } else { value }
        };
        let (object, old) = (attributes.object.as_deref(), attributes.old_object.as_deref());
        let same = |field: &str| of(object, field) == of(old, field);
        if same("/status/certificate") && same("/status/conditions") {
            return Ok(());
        }
        let signer = signer(old);
        if may(&*self.0, &attributes.user, "sign", signer).await {
            return Ok(());
        }
        Err(attributes.forbidden(&format!("user not permitted to sign requests with signerName \"{signer}\"")))
    }
}

/// The plugin `CertificateSubjectRestriction`: nobody asks the signer of clients for a certificate of `system:masters`.
pub struct SubjectRestriction;

#[async_trait]
impl Plugin for SubjectRestriction {
    fn name(&self) -> &'static str {
        "CertificateSubjectRestriction"
    }

    fn handles(&self, operation: Operation) -> bool {
        operation == Operation::Create
    }

    async fn validate(&self, attributes: &Attributes, _context: &Context) -> Result<(), StatusError> {
        let Some(object) = attributes.object.as_ref().filter(|_| is_about(attributes, "")) else { return Ok(()) };
        if signer(Some(object)) != CLIENT_SIGNER {
            return Ok(());
        }
        let subject = request::subject(&pem_of(object));
        let subject = subject.map_err(|error| attributes.forbidden(&format!("failed to parse CSR: {error}")))?;
        if subject.organizations.iter().any(|group| group == SYSTEM_MASTERS) {
            let words = format!("use of {CLIENT_SIGNER} signer with {SYSTEM_MASTERS} group is not allowed");
            return Err(attributes.forbidden(&words));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::gvk::GroupVersionResource;
    use authorization::Decision;
    use serde_json::json;

    use super::*;
    use crate::testing::attributes;

    /// Allows one verb on one signer's name.
    struct One(&'static str, &'static str);

    #[async_trait]
    impl Authorizer for One {
        async fn authorize(&self, asked: &authorization::Attributes) -> Decision {
            assert_eq!((asked.group.as_str(), asked.resource.as_str()), (GROUP, "signers"));
            if asked.verb == self.0 && asked.name == self.1 { Decision::allow() } else { Decision::no_opinion() }
        }
    }

    fn about(operation: Operation, subresource: &str, object: Value, old: Value) -> Attributes {
        Attributes {
            resource: GroupVersionResource::new(GROUP, "v1", "certificatesigningrequests"),
            subresource: subresource.into(),
            object: Some(Arc::new(object)),
            old_object: Some(Arc::new(old)),
            ..attributes(operation, "", "", "c")
        }
    }

    #[tokio::test]
    async fn who_approves_or_signs_is_asked_for_the_signer() {
        let old = || json!({"spec": {"signerName": "a.b/c"}, "status": {}});
        let signed = || json!({"spec": {"signerName": "x.y/z"}, "status": {"certificate": "AA=="}});
        let words = |said: Result<(), StatusError>| said.err().map(|error| error.message().to_owned());
        for (name, verb, allowed) in [
            ("a.b/c", "approve", true),
            ("a.b/*", "approve", true),
            ("x.y/z", "approve", false),
            ("*", "approve", false),
            ("a.b/c", "sign", false),
        ] {
            let of = about(Operation::Update, "approval", signed(), old());
            let said = words(Approval(Arc::new(One(verb, name))).validate(&of, &Context::new()).await);
            let refusal = "certificatesigningrequests.certificates.k8s.io \"c\" is forbidden: user not permitted to \
                           approve requests with signerName \"a.b/c\"";
            assert_eq!(said, (!allowed).then(|| refusal.to_owned()), "{verb} {name}");
        }
        for (name, object, allowed) in [("a.b/c", signed(), true), ("b/c", signed(), false), ("b/c", old(), true)] {
            let of = about(Operation::Update, "status", object, old());
            let said = Signing(Arc::new(One("sign", name))).validate(&of, &Context::new()).await;
            assert_eq!(said.is_ok(), allowed, "{name}: {said:?}");
        }
        let of = about(Operation::Update, "", signed(), old());
        assert!(Signing(Arc::new(One("", ""))).validate(&of, &Context::new()).await.is_ok());
    }

    #[tokio::test]
    async fn nobody_asks_for_a_certificate_of_the_masters() {
        let request = |groups: &[&str]| {
            let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
            for group in groups {
                params.distinguished_name.push(rcgen::DnType::OrganizationName, *group);
            }
            let key = rcgen::KeyPair::generate().unwrap();
            STANDARD.encode(params.serialize_request(&key).unwrap().pem().unwrap())
        };
        for (signer, text, refused) in [
            (CLIENT_SIGNER, request(&["dev"]), None),
            (CLIENT_SIGNER, request(&[SYSTEM_MASTERS]), Some("signer with system:masters group is not allowed")),
            (CLIENT_SIGNER, "AA==".to_owned(), Some("failed to parse CSR: PEM block type must be CERTIFICATE REQUEST")),
            ("a.b/c", request(&[SYSTEM_MASTERS]), None),
        ] {
            let object = json!({"spec": {"signerName": signer, "request": text}});
            let said =
                SubjectRestriction.validate(&about(Operation::Create, "", object, json!({})), &Context::new()).await;
            match refused {
                None => assert!(said.is_ok(), "{signer}: {said:?}"),
                Some(words) => assert!(said.unwrap_err().message().ends_with(words), "{signer}"),
            }
        }
    }
}

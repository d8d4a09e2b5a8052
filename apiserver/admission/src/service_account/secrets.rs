//! Which secrets a pod may use.

use serde_json::Value;

use super::{list, text};

/// Checks that the secrets of volumes and environments are the account's own. Volumes count where all containers do.
pub(super) fn check(account: &Value, spec: &Value, containers: &[&str]) -> Result<(), String> {
    let own: Vec<&str> = list(account, "secrets").map(|secret| text(secret, "name")).collect();
    let account = text(&account["metadata"], "name");
    let refused = |what: String, secret: &str| {
        Err(format!(
            "{what} secret.secretName=\"{secret}\" is not allowed because service account {account} does not reference that \
             secret"
        ))
    };
    if containers.contains(&"containers") {
        for volume in list(spec, "volumes").filter(|volume| volume["secret"].is_object()) {
            let secret = text(&volume["secret"], "secretName");
            if !own.contains(&secret) {
                return refused("volume with".to_owned(), secret);
            }
        }
    }
    for field in containers {
        let word = match *field {
            "initContainers" => "init container",
            "ephemeralContainers" => "ephemeral container",
            _ => "container",
        };
        for container in list(spec, field) {
            let name = text(container, "name");
            for variable in list(container, "env").filter(|variable| key_of(variable).is_object()) {
                let secret = text(key_of(variable), "name");
                if !own.contains(&secret) {
                    return refused(
                        format!("{word} {name} with envVar {} referencing", text(variable, "name")),
                        secret,
                    );
                }
            }
            for from in list(container, "envFrom").filter(|from| from["secretRef"].is_object()) {
                let secret = text(&from["secretRef"], "name");
                if !own.contains(&secret) {
                    return refused(format!("{word} {name} with envFrom referencing"), secret);
                }
            }
        }
    }
    Ok(())
}

/// Checks that images are pulled with the account's own secrets.
pub(super) fn check_pull_secrets(account: &Value, spec: &Value) -> Result<(), String> {
    let own: Vec<&str> = list(account, "imagePullSecrets").map(|secret| text(secret, "name")).collect();
    let account = text(&account["metadata"], "name");
    for (at, secret) in list(spec, "imagePullSecrets").map(|secret| text(secret, "name")).enumerate() {
        if !own.contains(&secret) {
            return Err(format!(
                "imagePullSecrets[{at}].name=\"{secret}\" is not allowed because service account {account} does not \
                 reference that imagePullSecret"
            ));
        }
    }
    Ok(())
}

/// Checks that a pod which is there already, on its node, refers to nothing here.
pub(super) fn check_mirror(spec: &Value) -> Result<(), &'static str> {
    if ["serviceAccountName", "serviceAccount"].iter().any(|field| !text(spec, field).is_empty()) {
        return Err("a mirror pod may not reference service accounts");
    }
    if uses_a_secret(spec) {
        return Err("a mirror pod may not reference secrets");
    }
    let projects_a_token =
        |volume: &Value| list(&volume["projected"], "sources").any(|source| source["serviceAccountToken"].is_object());
    if list(spec, "volumes").any(projects_a_token) {
        return Err("a mirror pod may not use ServiceAccountToken volume projections");
    }
    Ok(())
}

fn uses_a_secret(spec: &Value) -> bool {
    let in_container = |container: &Value| {
        list(container, "env").any(|variable| key_of(variable).is_object())
            || list(container, "envFrom").any(|from| from["secretRef"].is_object())
    };
    let in_volume = |volume: &Value| {
        const REFERENCES: [(&str, &str); 7] = [
            ("cephfs", "secretRef"),
            ("cinder", "secretRef"),
            ("flexVolume", "secretRef"),
            ("rbd", "secretRef"),
            ("scaleIO", "secretRef"),
            ("iscsi", "secretRef"),
            ("storageos", "secretRef"),
        ];
        !text(&volume["azureFile"], "secretName").is_empty()
            || volume["secret"].is_object()
            || volume["csi"]["nodePublishSecretRef"].is_object()
            || REFERENCES.iter().any(|(kind, field)| volume[*kind][*field].is_object())
            || list(&volume["projected"], "sources").any(|source| source["secret"].is_object())
    };
    list(spec, "imagePullSecrets").next().is_some()
        || ["initContainers", "containers", "ephemeralContainers"]
            .iter()
            .any(|containers| list(spec, containers).any(in_container))
        || list(spec, "volumes").any(in_volume)
}

fn key_of(variable: &Value) -> &Value {
    &variable["valueFrom"]["secretKeyRef"]
}

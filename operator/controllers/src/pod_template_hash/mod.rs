//! `pod-template-hash`: FNV-1a over a Pod template as Go prints it, as upstream's `ComputeHash` has it, so that names
//! and labels of ReplicaSets are those that any other control plane would give them.

mod print;
mod quantity;
mod shape;

use std::fmt;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::Value;

/// The hash of a template as it is stored, with its defaults; `collisions` is the owner's collisionCount.
pub fn pod_template_hash(template: &PodTemplateSpec, collisions: Option<i32>) -> String {
    let value = serde_json::to_value(template).unwrap_or(Value::Null);
    let mut hash = Fnv1a::default();
    // Writing to the hash cannot fail.
    let _ = print::print(&mut hash, "v1.PodTemplateSpec", Some(&value));
    if let Some(collisions) = collisions {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&collisions.to_le_bytes());
        hash.update(&bytes);
    }
    safe_encode(&hash.0.to_string())
}

/// Characters that spell no word, one for each of the text's.
pub fn safe_encode(text: &str) -> String {
    const SAFE: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    text.bytes().map(|byte| char::from(SAFE[usize::from(byte) % SAFE.len()])).collect()
}

/// FNV-1a of 32 bits.
pub struct Fnv1a(u32);

impl Default for Fnv1a {
    fn default() -> Self {
        Self(0x811c_9dc5)
    }
}

impl Fnv1a {
    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }
}

impl fmt::Write for Fnv1a {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.update(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template(label: &str, value: &str, image: &str, pull: &str) -> PodTemplateSpec {
        serde_json::from_value(json!({
            "metadata": {"labels": {label: value}},
            "spec": {
                "containers": [{
                    "image": image, "imagePullPolicy": pull, "name": "c", "resources": {},
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                }],
                "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
                "securityContext": {}, "terminationGracePeriodSeconds": 30,
            },
        }))
        .unwrap()
    }

    #[test]
    fn hashes_are_those_of_kube_controller_manager() {
        for (template, expected) in [
            (template("app", "a", "busybox:1", "IfNotPresent"), "67d4d4b5d9"),
            (template("app", "a", "busybox:2", "IfNotPresent"), "7cfc4b86b"),
            (template("app", "a", "busybox:3", "IfNotPresent"), "86997bccdc"),
            (template("a", "b", "i", "Always"), "746cd9445b"),
        ] {
            assert_eq!(pod_template_hash(&template, None), expected);
        }
    }

    #[test]
    fn a_collision_changes_the_hash() {
        let template = template("a", "b", "i", "Always");
        let hashes = [None, Some(0), Some(1)].map(|count| pod_template_hash(&template, count));
        assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2], "{hashes:?}");
    }
}

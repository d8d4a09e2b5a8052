//! Volumes and claims.

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaimSpec, PersistentVolumeClaimStatus, PersistentVolumeSpec, PersistentVolumeStatus,
};
use serde_json::Value;

use super::{AGE, Clock, NAME, Object, Printer, field, quantity, words};

pub(super) static PERSISTENT_VOLUME: Printer = Printer::new(
    &[
        NAME,
        field::<PersistentVolumeSpec>("Capacity", "capacity"),
        field::<PersistentVolumeSpec>("Access Modes", "accessModes"),
        field::<PersistentVolumeSpec>("Reclaim Policy", "persistentVolumeReclaimPolicy"),
        field::<PersistentVolumeStatus>("Status", "phase"),
        field::<PersistentVolumeSpec>("Claim", "claimRef"),
        words("StorageClass", "StorageClass of the pv"),
        words("VolumeAttributesClass", "VolumeAttributesClass of the pv"),
        field::<PersistentVolumeStatus>("Reason", "reason"),
        AGE,
        field::<PersistentVolumeSpec>("VolumeMode", "volumeMode").wide(),
    ],
    persistent_volume,
);

pub(super) static PERSISTENT_VOLUME_CLAIM: Printer = Printer::new(
    &[
        NAME,
        field::<PersistentVolumeClaimStatus>("Status", "phase"),
        field::<PersistentVolumeClaimSpec>("Volume", "volumeName"),
        field::<PersistentVolumeClaimStatus>("Capacity", "capacity"),
        field::<PersistentVolumeClaimStatus>("Access Modes", "accessModes"),
        words("StorageClass", "StorageClass of the pvc"),
        words("VolumeAttributesClass", "VolumeAttributesClass of the pvc"),
        AGE,
        field::<PersistentVolumeClaimSpec>("VolumeMode", "volumeMode").wide(),
    ],
    persistent_volume_claim,
);

/// `RWO,ROX`: each mode once, in upstream's order.
fn access_modes(o: Object<'_>, pointer: &str) -> String {
    const MODES: [(&str, &str); 4] =
        [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let present = o.texts(pointer);
    let shown: Vec<&str> = MODES.iter().filter(|(mode, _)| present.contains(mode)).map(|(_, short)| *short).collect();
    shown.join(",")
}

fn phase(o: Object<'_>) -> Value {
    if o.has("/metadata/deletionTimestamp") { "Terminating".into() } else { o.text("/status/phase").into() }
}

/// The storage class: the annotation of old, else the field.
fn storage_class(o: Object<'_>) -> &str {
    o.set_or("/metadata/annotations/volume.beta.kubernetes.io~1storage-class", o.text("/spec/storageClassName"))
}

fn persistent_volume(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let claim = match o.get("/spec/claimRef").map(Object) {
        Some(claim) => format!("{}/{}", claim.text("/namespace"), claim.text("/name")),
        None => String::new(),
    };
    vec![
        o.name(),
        quantity(o.get("/spec/capacity/storage")).into(),
        access_modes(o, "/spec/accessModes").into(),
        o.text("/spec/persistentVolumeReclaimPolicy").into(),
        phase(o),
        claim.into(),
        storage_class(o).into(),
        o.set_or("/spec/volumeAttributesClassName", "<unset>").into(),
        o.text("/status/reason").into(),
        o.age(clock),
        o.set_or("/spec/volumeMode", "<unset>").into(),
    ]
}

fn persistent_volume_claim(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let volume = o.text("/spec/volumeName");
    let (capacity, modes) = if volume.is_empty() {
        (String::new(), String::new())
    } else {
        (quantity(o.get("/status/capacity/storage")), access_modes(o, "/status/accessModes"))
    };
    vec![
        o.name(),
        phase(o),
        volume.into(),
        capacity.into(),
        modes.into(),
        storage_class(o).into(),
        o.set_or("/spec/volumeAttributesClassName", "<unset>").into(),
        o.age(clock),
        o.set_or("/spec/volumeMode", "<unset>").into(),
    ]
}

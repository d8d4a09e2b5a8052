//! `storage.k8s.io` and `resource.k8s.io`.

use k8s_openapi::api::resource::v1::{ResourcePool, ResourceSliceSpec};
use k8s_openapi::api::storage::v1::{
    CSIDriverSpec, StorageClass, VolumeAttachmentSource, VolumeAttachmentSpec, VolumeAttachmentStatus,
    VolumeAttributesClass,
};
use serde_json::Value;

use super::{AGE, Clock, NAME, Object, Printer, field, words};

pub(super) fn printer(resource: &str) -> Option<&'static Printer> {
    Some(match resource {
        "storageclasses" => &STORAGE_CLASS,
        "volumeattachments" => &VOLUME_ATTACHMENT,
        "volumeattributesclasses" => &VOLUME_ATTRIBUTES_CLASS,
        "csidrivers" => &CSI_DRIVER,
        "csinodes" => &CSI_NODE,
        "deviceclasses" | "resourceclaimtemplates" => &super::AGED,
        "resourceclaims" => &RESOURCE_CLAIM,
        "resourceslices" => &RESOURCE_SLICE,
        _ => return None,
    })
}

static STORAGE_CLASS: Printer = Printer::new(
    &[
        NAME,
        field::<StorageClass>("Provisioner", "provisioner"),
        field::<StorageClass>("ReclaimPolicy", "reclaimPolicy"),
        field::<StorageClass>("VolumeBindingMode", "volumeBindingMode"),
        field::<StorageClass>("AllowVolumeExpansion", "allowVolumeExpansion"),
        AGE,
    ],
    storage_class,
);

fn storage_class(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let default = |annotation: &str| o.text(&format!("/metadata/annotations/{annotation}")) == "true";
    let is_default = default("storageclass.kubernetes.io~1is-default-class")
        || default("storageclass.beta.kubernetes.io~1is-default-class");
    let name = o.text("/metadata/name");
    let name = if is_default { format!("{name} (default)") } else { name.to_owned() };
    vec![
        name.into(),
        o.text("/provisioner").into(),
        o.set_or("/reclaimPolicy", "Delete").into(),
        o.set_or("/volumeBindingMode", "Immediate").into(),
        o.flag("/allowVolumeExpansion").into(),
        o.age(clock),
    ]
}

static VOLUME_ATTACHMENT: Printer = Printer::new(
    &[
        NAME,
        field::<VolumeAttachmentSpec>("Attacher", "attacher").named(),
        field::<VolumeAttachmentSource>("PV", "persistentVolumeName"),
        field::<VolumeAttachmentSpec>("Node", "nodeName"),
        field::<VolumeAttachmentStatus>("Attached", "attached").of("boolean"),
        AGE,
    ],
    |o, clock| {
        vec![
            o.name(),
            o.text("/spec/attacher").into(),
            o.text("/spec/source/persistentVolumeName").into(),
            o.text("/spec/nodeName").into(),
            o.flag("/status/attached").into(),
            o.age(clock),
        ]
    },
);

static VOLUME_ATTRIBUTES_CLASS: Printer =
    Printer::new(&[NAME, field::<VolumeAttributesClass>("DriverName", "driverName"), AGE], |o, clock| {
        vec![o.name(), o.text("/driverName").into(), o.age(clock)]
    });

static CSI_DRIVER: Printer = Printer::new(
    &[
        NAME,
        field::<CSIDriverSpec>("AttachRequired", "attachRequired").of("boolean"),
        field::<CSIDriverSpec>("PodInfoOnMount", "podInfoOnMount").of("boolean"),
        field::<CSIDriverSpec>("StorageCapacity", "storageCapacity").of("boolean"),
        field::<CSIDriverSpec>("TokenRequests", "tokenRequests"),
        field::<CSIDriverSpec>("RequiresRepublish", "requiresRepublish").of("boolean"),
        field::<CSIDriverSpec>("Modes", "volumeLifecycleModes"),
        AGE,
    ],
    csi_driver,
);

fn csi_driver(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let flag =
        |pointer: &str, otherwise: bool| Value::from(o.get(pointer).and_then(Value::as_bool).unwrap_or(otherwise));
    let modes = match o.texts("/spec/volumeLifecycleModes") {
        modes if modes.is_empty() => "<none>".to_owned(),
        modes => modes.join(","),
    };
    let audiences: Vec<&str> = o.list("/spec/tokenRequests").map(|request| request.text("/audience")).collect();
    let audiences = if audiences.is_empty() { "<unset>".to_owned() } else { audiences.join(",") };
    vec![
        o.name(),
        flag("/spec/attachRequired", true),
        flag("/spec/podInfoOnMount", false),
        flag("/spec/storageCapacity", false),
        audiences.into(),
        flag("/spec/requiresRepublish", false),
        modes.into(),
        o.age(clock),
    ]
}

static CSI_NODE: Printer = Printer::new(
    &[NAME, words("Drivers", "Drivers indicates the number of CSI drivers registered on the node").of("integer"), AGE],
    |o, clock| vec![o.name(), o.list("/spec/drivers").len().into(), o.age(clock)],
);

static RESOURCE_CLAIM: Printer = Printer::new(
    &[NAME, words("State", "A summary of the current state (allocated, pending, reserved, etc.)."), AGE],
    resource_claim,
);

fn resource_claim(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let mut states = Vec::new();
    let deleted = o.has("/metadata/deletionTimestamp");
    if deleted {
        states.push("deleted");
    }
    if o.has("/status/allocation") {
        states.push("allocated");
        if o.list("/status/reservedFor").len() > 0 {
            states.push("reserved");
        }
    } else if !deleted {
        states.push("pending");
    }
    vec![o.name(), states.join(",").into(), o.age(clock)]
}

static RESOURCE_SLICE: Printer = Printer::new(
    &[
        NAME,
        field::<ResourceSliceSpec>("Node", "nodeName"),
        field::<ResourceSliceSpec>("Driver", "driver"),
        field::<ResourcePool>("Pool", "name"),
        AGE,
    ],
    |o, clock| {
        vec![
            o.name(),
            o.text("/spec/nodeName").into(),
            o.text("/spec/driver").into(),
            o.text("/spec/pool/name").into(),
            o.age(clock),
        ]
    },
);

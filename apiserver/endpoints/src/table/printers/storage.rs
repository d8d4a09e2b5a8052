//! `storage.k8s.io` and `resource.k8s.io`.

use serde_json::Value;

use super::{Clock, Object, Printer};

pub(super) fn printer(resource: &str) -> Option<Printer> {
    Some(match resource {
        "storageclasses" => storage_class,
        "volumeattachments" => volume_attachment,
        "volumeattributesclasses" => |o, clock| vec![o.name(), o.text("/driverName").into(), o.age(clock)],
        "csidrivers" => csi_driver,
        "csinodes" => |o, clock| vec![o.name(), o.list("/spec/drivers").len().into(), o.age(clock)],
        "resourceclaims" => resource_claim,
        "resourceslices" => resource_slice,
        _ => return None,
    })
}

fn storage_class(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let default = |annotation: &str| o.text(&format!("/metadata/annotations/{annotation}")) == "true";
    let is_default = default("storageclass.kubernetes.io~1is-default-class")
        || default("storageclass.beta.kubernetes.io~1is-default-class");
    let name = o.text("/metadata/name");
    let name = if is_default { format!("{name} (default)") } else { name.to_owned() };
    vec![
        name.into(),
        o.text("/provisioner").into(),
        o.text_or("/reclaimPolicy", "Delete").into(),
        o.text_or("/volumeBindingMode", "Immediate").into(),
        o.flag("/allowVolumeExpansion").into(),
        o.age(clock),
    ]
}

fn volume_attachment(o: Object<'_>, clock: Clock) -> Vec<Value> {
    vec![
        o.name(),
        o.text("/spec/attacher").into(),
        o.text("/spec/source/persistentVolumeName").into(),
        o.text("/spec/nodeName").into(),
        o.flag("/status/attached").into(),
        o.age(clock),
    ]
}

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

fn resource_claim(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let mut states = Vec::new();
    if o.has("/metadata/deletionTimestamp") {
        states.push("deleted");
    }
    if o.has("/status/allocation") {
        states.push("allocated");
        if o.list("/status/reservedFor").len() > 0 {
            states.push("reserved");
        }
    } else {
        states.push("pending");
    }
    vec![o.name(), states.join(",").into(), o.age(clock)]
}

fn resource_slice(o: Object<'_>, clock: Clock) -> Vec<Value> {
    vec![
        o.name(),
        o.text_or("/spec/nodeName", "<unset>").into(),
        o.text("/spec/driver").into(),
        o.text("/spec/pool/name").into(),
        o.age(clock),
    ]
}

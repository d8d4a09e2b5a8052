//! The volumes of a pod: their names, and where each comes from.

use std::collections::{HashMap, HashSet};

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::quantity::Quantity;
use apimachinery::quote::quoted;
use apimachinery::validation::{is_dns1123_label, is_dns1123_subdomain, name_is_dns_subdomain, range_message};
use serde_json::Value;

use super::containers::validate_pull_policy;
use super::paths::{validate_descending, validate_mode, validate_no_backsteps, validate_unreserved};
use super::{Options, invalid_for, projected};
use crate::validation::claim;
use crate::validation::read::{entries, flag, list, map, number, optional_number, optional_text, present, text};

/// The valid volumes of a spec by name.
pub(super) type Named<'a> = HashMap<&'a str, &'a Value>;

/// Checks the volumes and returns those that containers can refer to.
pub(super) fn validate<'a>(
    volumes: &'a [Value],
    pod_metadata: Option<&Value>,
    at: &Path,
    options: &Options,
    errors: &mut ErrorList,
) -> Named<'a> {
    let pod_name = pod_metadata.map(|metadata| text(metadata, "name")).unwrap_or_default();
    let mut created = HashSet::new();
    if !pod_name.is_empty() {
        let ephemeral = volumes.iter().filter(|volume| present(volume, "ephemeral").is_some());
        created.extend(ephemeral.map(|volume| format!("{pod_name}-{}", text(volume, "name"))));
    }
    let mut named = Named::with_capacity(volumes.len());
    for (i, volume) in volumes.iter().enumerate() {
        let at = at.index(i);
        let before = errors.len();
        validate_source(volume, pod_name, &at, options, errors);
        let name = text(volume, "name");
        if name.is_empty() {
            errors.push(Error::required(&at.child("name"), ""));
        } else {
            invalid_for(is_dns1123_label(name), &at.child("name"), name, errors);
        }
        if named.contains_key(name) {
            errors.push(Error::duplicate(&at.child("name"), name));
        }
        if errors.len() == before {
            named.insert(name, volume);
        }
        let claim = volume.get("persistentVolumeClaim").map(|claim| text(claim, "claimName"));
        if let Some(claim) = claim.filter(|claim| created.contains(*claim)) {
            let words = "must not reference a PVC that gets created for an ephemeral volume";
            errors.push(Error::invalid(&at.child("persistentVolumeClaim").child("claimName"), claim, words));
        }
    }
    named
}

/// A check of one source: the source, its path, and the settings.
type Check = fn(&Value, &Path, &Options, &mut ErrorList);

/// The sources in the order in which upstream looks for them: the field, what a second one is complained about as, the path
/// of its own errors, and its rule. Two paths are not the field's, upstream's slips.
const SOURCES: [(&str, &str, &str, Check); 29] = [
    ("hostPath", "hostPath", "hostPath", host_path),
    ("gitRepo", "gitRepo", "gitRepo", git_repo),
    ("gcePersistentDisk", "gcePersistentDisk", "persistentDisk", gce_persistent_disk),
    ("awsElasticBlockStore", "awsElasticBlockStore", "awsElasticBlockStore", aws_elastic_block_store),
    ("secret", "secret", "secret", secret),
    ("nfs", "nfs", "nfs", nfs),
    ("iscsi", "iscsi", "iscsi", iscsi),
    ("glusterfs", "glusterfs", "glusterfs", glusterfs),
    ("flocker", "flocker", "flocker", flocker),
    ("persistentVolumeClaim", "persistentVolumeClaim", "persistentVolumeClaim", persistent_volume_claim),
    ("rbd", "rbd", "rbd", rbd),
    ("cinder", "cinder", "cinder", cinder),
    ("cephfs", "cephFS", "cephfs", ceph_fs),
    ("quobyte", "quobyte", "quobyte", quobyte),
    ("downwardAPI", "downwarAPI", "downwardAPI", projected::downward_api),
    ("fc", "fc", "fc", fibre_channel),
    ("flexVolume", "flexVolume", "flexVolume", flex_volume),
    ("configMap", "configMap", "configMap", config_map),
    ("azureFile", "azureFile", "azureFile", azure_file),
    ("vsphereVolume", "vsphereVolume", "vsphereVolume", vsphere_volume),
    ("photonPersistentDisk", "photonPersistentDisk", "photonPersistentDisk", photon_persistent_disk),
    ("portworxVolume", "portworxVolume", "portworxVolume", portworx_volume),
    ("azureDisk", "azureDisk", "azureDisk", azure_disk),
    ("storageos", "storageos", "storageos", storage_os),
    ("projected", "projected", "projected", projected::validate),
    ("scaleIO", "scaleIO", "scaleIO", scale_io),
    ("csi", "csi", "csi", csi),
    ("ephemeral", "ephemeral", "ephemeral", ephemeral),
    ("image", "image", "image", image),
];

fn validate_source(volume: &Value, pod_name: &str, at: &Path, options: &Options, errors: &mut ErrorList) {
    let mut found = false;
    if let Some(directory) = present(volume, "emptyDir") {
        found = true;
        let limit = present(directory, "sizeLimit").and_then(|limit| Quantity::from_value(limit).ok());
        if limit.is_some_and(|limit| limit.sign() < 0) {
            let words = "SizeLimit field must be a valid resource quantity";
            errors.push(Error::forbidden(&at.child("emptyDir").child("sizeLimit"), words));
        }
    }
    for (field, second, first, check) in SOURCES {
        let Some(source) = present(volume, field) else { continue };
        let volume_name = text(volume, "name");
        if found {
            errors.push(Error::forbidden(&at.child(second), "may not specify more than 1 volume type"));
        } else {
            check(source, &at.child(first), options, errors);
            if field == "ephemeral" && !pod_name.is_empty() && !volume_name.is_empty() {
                let claim = format!("{pod_name}-{volume_name}");
                for words in name_is_dns_subdomain(&claim, false) {
                    let words = format!("PVC name {}: {words}", quoted(&claim));
                    errors.push(Error::invalid(&at.child("name"), volume_name, words));
                }
            }
        }
        found = true;
        if field == "iscsi" && optional_text(source, "initiatorName").is_some() {
            const MOST: usize = 64;
            if volume_name.len() + 1 + text(source, "targetPortal").len() > MOST {
                let words = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
                errors.push(Error::invalid(&at.child("name"), volume_name, words));
            }
        }
    }
    if !found {
        errors.push(Error::required(at, "must specify a volume type"));
    }
}

/// Texts that must not be empty.
fn require(source: &Value, fields: &[&str], at: &Path, errors: &mut ErrorList) {
    let missing = fields.iter().filter(|field| text(source, field).is_empty());
    errors.extend(missing.map(|field| Error::required(&at.child(field), "")));
}

/// A reference to a secret, if there is one, names it.
fn require_secret_name(source: &Value, at: &Path, errors: &mut ErrorList) {
    if present(source, "secretRef").is_some_and(|secret| text(secret, "name").is_empty()) {
        errors.push(Error::required(&at.child("secretRef").child("name"), ""));
    }
}

/// A directory or file of the node.
pub(crate) fn host_path(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    const TYPES: [&str; 8] =
        ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
    let path = text(source, "path");
    if path.is_empty() {
        errors.push(Error::required(&at.child("path"), ""));
        return;
    }
    validate_no_backsteps(path, &at.child("path"), errors);
    if let Some(kind) = optional_text(source, "type").filter(|kind| !TYPES.contains(kind)) {
        errors.push(Error::not_supported(&at.child("type"), kind, &TYPES));
    }
}

fn git_repo(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["repository"], at, errors);
    validate_descending(text(source, "directory"), &at.child("directory"), errors);
}

fn partition(source: &Value, at: &Path, errors: &mut ErrorList) {
    let partition = number(source, "partition");
    if !(0..=255).contains(&partition) {
        errors.push(Error::invalid(&at.child("partition"), partition, range_message(1, 255)));
    }
}

/// A disk of Google's cloud.
pub(crate) fn gce_persistent_disk(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["pdName"], at, errors);
    partition(source, at, errors);
}

/// A disk of Amazon's cloud.
pub(crate) fn aws_elastic_block_store(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["volumeID"], at, errors);
    partition(source, at, errors);
}

fn secret(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["secretName"], at, errors);
    items(source, at, errors);
}

fn config_map(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["name"], at, errors);
    items(source, at, errors);
}

fn items(source: &Value, at: &Path, errors: &mut ErrorList) {
    validate_mode(optional_number(source, "defaultMode"), &at.child("defaultMode"), errors);
    for (i, item) in list(source, "items").iter().enumerate() {
        key_to_path(item, &at.child("items").index(i), errors);
    }
}

/// One key and the file it becomes.
pub(super) fn key_to_path(item: &Value, at: &Path, errors: &mut ErrorList) {
    require(item, &["key", "path"], at, errors);
    validate_unreserved(text(item, "path"), &at.child("path"), errors);
    validate_mode(optional_number(item, "mode"), &at.child("mode"), errors);
}

/// A share of an NFS server.
pub(crate) fn nfs(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["server", "path"], at, errors);
    let path = text(source, "path");
    if !path.starts_with('/') {
        errors.push(Error::invalid(&at.child("path"), path, "must be an absolute path"));
    }
}

fn iscsi(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["targetPortal"], at, errors);
    let name = text(source, "iqn");
    if name.is_empty() {
        errors.push(Error::required(&at.child("iqn"), ""));
    } else {
        initiator(name, &at.child("iqn"), errors);
    }
    let unit = number(source, "lun");
    if !(0..=255).contains(&unit) {
        errors.push(Error::invalid(&at.child("lun"), unit, range_message(0, 255)));
    }
    let authenticates = flag(source, "chapAuthDiscovery") || flag(source, "chapAuthSession");
    if authenticates && present(source, "secretRef").is_none() {
        errors.push(Error::required(&at.child("secretRef"), ""));
    }
    if let Some(name) = optional_text(source, "initiatorName") {
        initiator(name, &at.child("initiatorname"), errors);
    }
}

/// A name of iSCSI.
fn initiator(name: &str, at: &Path, errors: &mut ErrorList) {
    let is_valid = if name.starts_with("iqn") {
        is_iqn(name)
    } else if name.starts_with("eui") {
        has_tail(name, 16)
    } else if name.starts_with("naa") {
        has_tail(name, 32)
    } else {
        errors.push(Error::invalid(at, name, "must be valid format starting with iqn, eui, or naa"));
        return;
    };
    if !is_valid {
        errors.push(Error::invalid(at, name, "must be valid format"));
    }
}

/// `iqn.<year>-<month>.<authority>:<name>`.
fn is_iqn(name: &str) -> bool {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = || {
        let rest = name.strip_prefix("iqn.")?;
        let (year, rest) = rest.split_once('-')?;
        let (month, rest) = rest.split_once('.')?;
        let (authority, own) = rest.split_once(':')?;
        Some((year, month, authority, own))
    };
    parts().is_some_and(|(year, month, authority, own)| {
        let of_authority = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        let of_own = |c: char| !matches!(c, ',' | ';' | '*' | '&' | '$' | '|') && !c.is_ascii_whitespace();
        digits(year, 4)
            && digits(month, 2)
            && !authority.is_empty()
            && authority.chars().all(of_authority)
            && !own.is_empty()
            && own.chars().all(of_own)
    })
}

/// Three letters, any character, and as many letters and digits.
fn has_tail(name: &str, count: usize) -> bool {
    let tail: Vec<char> = name.chars().skip(4).collect();
    tail.len() == count && tail.iter().all(char::is_ascii_alphanumeric)
}

fn glusterfs(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["endpoints", "path"], at, errors);
}

/// A data set of Flocker.
pub(crate) fn flocker(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    let (name, uuid) = (text(source, "datasetName"), text(source, "datasetUUID"));
    if name.is_empty() && uuid.is_empty() {
        errors.push(Error::required(at, "one of datasetName and datasetUUID is required"));
    }
    if !name.is_empty() && !uuid.is_empty() {
        let words = "datasetName and datasetUUID can not be specified simultaneously";
        errors.push(Error::invalid(at, "resource", words));
    }
    if name.contains('/') {
        errors.push(Error::invalid(&at.child("datasetName"), name, "must not contain '/'"));
    }
}

fn persistent_volume_claim(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["claimName"], at, errors);
}

fn rbd(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    if list(source, "monitors").is_empty() {
        errors.push(Error::required(&at.child("monitors"), ""));
    }
    require(source, &["image"], at, errors);
}

fn cinder(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["volumeID"], at, errors);
    require_secret_name(source, at, errors);
}

fn ceph_fs(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    if list(source, "monitors").is_empty() {
        errors.push(Error::required(&at.child("monitors"), ""));
    }
}

/// A volume of Quobyte.
pub(crate) fn quobyte(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    const WORDS: &str = "must be a host:port pair or multiple pairs separated by commas";
    let registry = text(source, "registry");
    if registry.is_empty() {
        errors.push(Error::required(&at.child("registry"), WORDS));
    } else if text(source, "tenant").len() >= 65 {
        let words = "must be a UUID and may not exceed a length of 64 characters";
        errors.push(Error::required(&at.child("tenant"), words));
    } else {
        let wrong = registry.split(',').filter(|pair| !is_host_and_port(pair));
        errors.extend(wrong.map(|_| Error::invalid(&at.child("registry"), registry, WORDS)));
    }
    require(source, &["volume"], at, errors);
}

/// Whether Go's `SplitHostPort` takes a text apart.
fn is_host_and_port(pair: &str) -> bool {
    let Some((host, _)) = pair.rsplit_once(':') else { return false };
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|inner| !inner.contains(['[', ']'])),
        None => !host.contains([':', '[', ']']) && !pair.contains(['[', ']']),
    }
}

fn fibre_channel(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    let (names, ids) = (list(source, "targetWWNs"), list(source, "wwids"));
    if names.is_empty() && ids.is_empty() {
        let words = "must specify either targetWWNs or wwids, but not both";
        errors.push(Error::required(&at.child("targetWWNs"), words));
    }
    if !names.is_empty() && !ids.is_empty() {
        let words = "targetWWNs and wwids can not be specified simultaneously";
        errors.push(Error::invalid(&at.child("targetWWNs"), names.to_vec(), words));
    }
    if names.is_empty() {
        return;
    }
    match optional_number(source, "lun") {
        None => errors.push(Error::required(&at.child("lun"), "lun is required if targetWWNs is specified")),
        Some(unit) if !(0..=255).contains(&unit) => {
            errors.push(Error::invalid(&at.child("lun"), unit, range_message(0, 255)));
        }
        Some(_) => {}
    }
}

/// A volume of a driver on the node.
pub(crate) fn flex_volume(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["driver"], at, errors);
    for (key, _) in entries(source, "options") {
        let namespace = format!(".{}", key.split_once('/').map_or(key, |(namespace, _)| namespace).to_lowercase());
        if namespace.ends_with(".kubernetes.io") || namespace.ends_with(".k8s.io") {
            let words = "kubernetes.io and k8s.io namespaces are reserved";
            errors.push(Error::invalid(&at.child("options").key(key), key, words));
        }
    }
}

fn azure_file(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["secretName", "shareName"], at, errors);
}

/// A disk of Microsoft's cloud.
pub(crate) fn azure_disk(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    const CACHING: [&str; 3] = ["None", "ReadOnly", "ReadWrite"];
    const KINDS: [&str; 3] = ["Dedicated", "Managed", "Shared"];
    const MANAGED: &str =
        "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
    const BLOB: &str = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";
    require(source, &["diskName", "diskURI"], at, errors);
    if let Some(mode) = optional_text(source, "cachingMode").filter(|mode| !CACHING.contains(mode)) {
        errors.push(Error::not_supported(&at.child("cachingMode"), mode, &CACHING));
    }
    let Some(kind) = optional_text(source, "kind") else { return };
    if !KINDS.contains(&kind) {
        errors.push(Error::not_supported(&at.child("kind"), kind, &KINDS));
    }
    let address = text(source, "diskURI");
    let (prefix, form) = if kind == "Managed" { ("/subscriptions/", MANAGED) } else { ("https://", BLOB) };
    if !address.starts_with(prefix) {
        errors.push(Error::not_supported(&at.child("diskURI"), address, &[form]));
    }
}

/// A disk of vSphere.
pub(crate) fn vsphere_volume(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["volumePath"], at, errors);
}

/// A disk of Photon.
pub(crate) fn photon_persistent_disk(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["pdID"], at, errors);
}

/// A volume of Portworx.
pub(crate) fn portworx_volume(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["volumeID"], at, errors);
}

fn storage_os(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    let (name, namespace) = (text(source, "volumeName"), text(source, "volumeNamespace"));
    if name.is_empty() {
        errors.push(Error::required(&at.child("volumeName"), ""));
    } else {
        invalid_for(is_dns1123_label(name), &at.child("volumeName"), name, errors);
    }
    if !namespace.is_empty() {
        invalid_for(is_dns1123_label(namespace), &at.child("volumeNamespace"), namespace, errors);
    }
    require_secret_name(source, at, errors);
}

fn scale_io(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    require(source, &["gateway", "system", "volumeName"], at, errors);
}

/// The name of a storage driver.
pub(crate) fn validate_driver_name(driver: &str, at: &Path, errors: &mut ErrorList) {
    const MOST: usize = 63;
    if driver.is_empty() {
        errors.push(Error::required(at, ""));
    }
    if driver.len() > MOST {
        errors.push(Error::too_long(at, MOST));
    }
    if !driver.is_empty() {
        invalid_for(is_dns1123_subdomain(&driver.to_lowercase()), at, driver, errors);
    }
}

fn csi(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    validate_driver_name(text(source, "driver"), &at.child("driver"), errors);
    let Some(secret) = present(source, "nodePublishSecretRef") else { return };
    match text(secret, "name") {
        "" => errors.push(Error::required(&at.child("nodePublishSecretRef").child("name"), "")),
        name => invalid_for(name_is_dns_subdomain(name, false), &at.child("name"), name, errors),
    }
}

fn ephemeral(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    let at = at.child("volumeClaimTemplate");
    match present(source, "volumeClaimTemplate") {
        None => errors.push(Error::required(&at, "")),
        Some(template) => claim::validate_template(template, &at, errors),
    }
}

fn image(source: &Value, at: &Path, options: &Options, errors: &mut ErrorList) {
    if options.is_pod && !options.keeps_empty_image_volumes && text(source, "reference").is_empty() {
        errors.push(Error::required(&at.child("reference"), ""));
    }
    validate_pull_policy(text(source, "pullPolicy"), &at.child("pullPolicy"), errors);
}

/// Whether a spec has a token whose path today's rules refuse.
pub(super) fn has_bad_token_paths(spec: &Value) -> bool {
    let sources = list(spec, "volumes").iter().filter_map(|volume| volume.get("projected"));
    let sources = sources.flat_map(|projected| list(projected, "sources"));
    let mut tokens =
        sources.filter_map(|source| map(source, "serviceAccountToken").map(|_| &source["serviceAccountToken"]));
    tokens.any(|token| {
        let mut errors = ErrorList::new();
        validate_unreserved(text(token, "path"), &Path::default(), &mut errors);
        !errors.is_empty()
    })
}

/// Whether a spec has a volume of an image that it does not name.
pub(super) fn has_empty_image(spec: &Value) -> bool {
    let images = list(spec, "volumes").iter().filter_map(|volume| present(volume, "image"));
    images.into_iter().any(|image| text(image, "reference").is_empty())
}

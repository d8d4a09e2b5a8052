//! Volumes made of what the cluster knows: of the pod, and of several sources in one.

use std::collections::HashSet;
use std::fmt;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::quote::quoted;
use serde_json::Value;

use super::paths::{validate_mode, validate_unreserved};
use super::volumes::key_to_path;
use super::{Options, environment};
use crate::validation::read::{list, optional_number, present, text};

/// The fields of a pod that a file may show, sorted.
const FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

/// Fields of the pod as files.
pub(super) fn downward_api(source: &Value, at: &Path, _: &Options, errors: &mut ErrorList) {
    validate_mode(optional_number(source, "defaultMode"), &at.child("defaultMode"), errors);
    // Upstream's paths leave the items out.
    for file in list(source, "items") {
        validate_file(file, at, errors);
    }
}

fn validate_file(file: &Value, at: &Path, errors: &mut ErrorList) {
    let path = text(file, "path");
    if path.is_empty() {
        errors.push(Error::required(&at.child("path"), ""));
    }
    validate_unreserved(path, &at.child("path"), errors);
    let resource = present(file, "resourceFieldRef");
    match (present(file, "fieldRef"), resource) {
        (Some(field), resource) => {
            environment::validate_field(field, &FIELDS, &at.child("fieldRef"), errors);
            if resource.is_some() {
                let words = "fieldRef and resourceFieldRef can not be specified simultaneously";
                errors.push(Error::invalid(at, "resource", words));
            }
        }
        (None, Some(resource)) => {
            environment::validate_resource(resource, true, &at.child("resourceFieldRef"), errors);
        }
        (None, None) => errors.push(Error::required(at, "one of fieldRef and resourceFieldRef is required")),
    }
    validate_mode(optional_number(file, "mode"), &at.child("mode"), errors);
}

/// Several sources in one folder.
pub(super) fn validate(source: &Value, at: &Path, options: &Options, errors: &mut ErrorList) {
    validate_mode(optional_number(source, "defaultMode"), &at.child("defaultMode"), errors);
    let mut paths = HashSet::new();
    for (i, part) in list(source, "sources").iter().enumerate() {
        let item = at.child("sources").index(i);
        let mut found = 0;
        for kind in ["secret", "configMap"] {
            let Some(part) = present(part, kind) else { continue };
            found += 1;
            let (of, name) = (item.child(kind), text(part, "name"));
            if name.is_empty() {
                errors.push(Error::required(&of.child("name"), ""));
            }
            for (j, file) in list(part, "items").iter().enumerate() {
                key_to_path(file, &of.child("items").index(j), errors);
                claim_path(&mut paths, text(file, "path"), name, at, errors);
            }
        }
        if let Some(part) = present(part, "downwardAPI") {
            found += 1;
            for file in list(part, "items") {
                validate_file(file, &item.child("downwardAPI"), errors);
                let path = text(file, "path");
                claim_path(&mut paths, path, path, at, errors);
            }
        }
        if let Some(token) = present(part, "serviceAccountToken") {
            found += 1;
            validate_token(token, at, &item.child("serviceAccountToken"), options, errors);
        }
        if found > 1 {
            errors.push(Error::forbidden(&item, "may not specify more than 1 volume type per source"));
        }
    }
}

/// A file that another source makes too; `shown` is what upstream's message shows.
fn claim_path<'a>(paths: &mut HashSet<&'a str>, path: &'a str, shown: &str, at: &Path, errors: &mut ErrorList) {
    if !path.is_empty() && !paths.insert(path) {
        errors.push(Error::invalid(at, shown, "conflicting duplicate paths"));
    }
}

/// A token of the pod's account. Upstream complains of its path at the volume's.
fn validate_token(token: &Value, volume: &Path, at: &Path, options: &Options, errors: &mut ErrorList) {
    const SHORTEST: i64 = 10 * 60;
    const LONGEST: i64 = 1 << 32;
    let seconds = optional_number(token, "expirationSeconds").unwrap_or(0);
    if seconds < SHORTEST {
        let words = "may not specify a duration less than 10 minutes";
        errors.push(Error::invalid(&at.child("expirationSeconds"), seconds, words));
    }
    if seconds > LONGEST {
        let words = "may not specify a duration larger than 2^32 seconds";
        errors.push(Error::invalid(&at.child("expirationSeconds"), seconds, words));
    }
    match text(token, "path") {
        "" => errors.push(Error::required(&volume.child("path"), "")),
        path if !options.keeps_token_paths => validate_unreserved(path, &volume.child("path"), errors),
        _ => {}
    }
}

/// A file in a volume, and where it comes from if that is to be told.
struct File<'a> {
    path: &'a str,
    source: String,
}

impl<'a> File<'a> {
    fn new(path: &'a str, source: &str) -> Self {
        Self { path: path.trim_end_matches('/'), source: source.to_owned() }
    }

    fn of_items(items: &'a Value, source: &str) -> Vec<Self> {
        list(items, "items").iter().map(|item| Self::new(text(item, "path"), source)).collect()
    }

    fn overlaps(&self, other: &Self) -> bool {
        let is_in = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
        self.path == other.path || is_in(self.path, other.path) || is_in(other.path, self.path)
    }
}

impl fmt::Display for File<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(self.path))?;
        if self.source.is_empty() { Ok(()) } else { write!(f, " ({})", self.source) }
    }
}

/// The pairs of files of which one is, or is in, the other.
fn overlaps(files: &[File<'_>]) -> Vec<String> {
    let mut found = Vec::new();
    for (i, file) in files.iter().enumerate() {
        let before = files.iter().take(i).filter(|other| file.overlaps(other));
        found.extend(before.map(|other| format!("{file} with {other}")));
    }
    found
}

/// Warns of files in volumes that get in each other's way.
pub(super) fn warn_of_overlaps(volumes: &[Value], found: &mut Vec<String>) {
    for volume in volumes {
        let name = quoted(text(volume, "name"));
        for (kind, shown, named) in
            [("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName"), ("downwardAPI", "DownwardAPI", "")]
        {
            let Some(source) = present(volume, kind) else { continue };
            let pairs = overlaps(&File::of_items(source, ""));
            if pairs.is_empty() {
                continue;
            }
            let of = if named.is_empty() { String::new() } else { format!(" {}", quoted(text(source, named))) };
            found.push(format!("volume {name} ({shown}{of}): overlapping paths: {}", pairs.join(", ")));
        }
        let Some(projected) = present(volume, "projected") else { continue };
        let mut files = Vec::new();
        for part in list(projected, "sources") {
            if part.as_object().is_none_or(|part| part.values().all(Value::is_null)) {
                found.push(format!("volume {name} (Projected) has no sources provided"));
            }
            let of = |kind: &str| present(part, kind);
            if let Some(part) = of("configMap").filter(|part| present(part, "items").is_some()) {
                files.extend(File::of_items(part, &format!("ConfigMap {}", quoted(text(part, "name")))));
            } else if let Some(part) = of("secret").filter(|part| present(part, "items").is_some()) {
                files.extend(File::of_items(part, &format!("Secret {}", quoted(text(part, "name")))));
            } else if let Some(part) = of("downwardAPI").filter(|part| present(part, "items").is_some()) {
                files.extend(File::of_items(part, "DownwardAPI"));
            } else if let Some(token) = of("serviceAccountToken") {
                files.push(File::new(text(token, "path"), "ServiceAccountToken"));
            }
        }
        let pairs = overlaps(&files).into_iter();
        found.extend(pairs.map(|pair| format!("volume {name} (Projected): overlapping paths: {pair}")));
    }
}

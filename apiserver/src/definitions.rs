//! `--definitions`: definitions of custom resources that are applied at the start, from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use apimachinery::{ObjectExt as _, StatusError, yaml};
use registry::{Patch, PatchOptions, Registry, RequestContext, Target};
use serde_json::Value;
use tokio::time::Instant;
use tracing::warn;

use crate::error::Error;
use crate::{files, identity};

/// The manager of the fields that are applied.
const MANAGER: &str = "coxswain-definitions";
const KIND: &str = "CustomResourceDefinition";
/// How long all of them may take until they are served.
const ESTABLISH: Duration = Duration::from_secs(10);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// The definitions of files, and of the files in folders (`.yaml`, `.yml`, `.json`), by name.
///
/// # Errors
/// A file cannot be read, or holds something else.
pub fn read(places: &[PathBuf]) -> Result<Vec<Value>, Error> {
    let mut definitions = Vec::new();
    for place in places {
        for file in files_of(place)? {
            let wrong = |problem: String| Error::Definitions { file: file.display().to_string(), problem };
            for document in documents(&files::read(&file)?) {
                let object = yaml::decode(document.as_bytes()).map_err(|error| wrong(error.to_string()))?.value;
                // Folders of manifests hold other things too; a file that was named does not.
                match (object.kind(), place == &file) {
                    (KIND, _) => definitions.push(object),
                    ("", _) if object.is_null() => {}
                    (_, false) => {}
                    (kind, true) => return Err(wrong(format!("{kind:?} is not a {KIND}"))),
                }
            }
        }
    }
    definitions.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(definitions)
}

fn files_of(place: &Path) -> Result<Vec<PathBuf>, Error> {
    if !place.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let is_manifest = |path: &PathBuf| {
        path.extension().and_then(|end| end.to_str()).is_some_and(|end| ["yaml", "yml", "json"].contains(&end))
    };
    let mut found: Vec<PathBuf> = files::list(place)?.into_iter().filter(is_manifest).collect();
    found.sort();
    Ok(found)
}

/// The documents of a stream.
fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        if line == "---" || line.starts_with("--- ") {
            documents.push(String::new());
        } else if let Some(document) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    documents.retain(|document| !document.trim().is_empty());
    documents
}

/// Applies definitions, as `kubectl apply --server-side --force-conflicts` does, and waits until they are served. The CRD
/// controller is at work.
///
/// # Errors
/// One is refused.
pub async fn apply(registry: &Arc<Registry>, definitions: Vec<Value>) -> Result<(), StatusError> {
    let ctx = RequestContext::new(identity::loopback(), MANAGER);
    let table = registry.table();
    let row = table.row("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    let row = row.ok_or_else(StatusError::unknown_resource)?;
    let options = PatchOptions { force: Some(true), field_manager: MANAGER.to_owned(), ..PatchOptions::default() };
    let names: Vec<String> = definitions.iter().map(|definition| definition.name().to_owned()).collect();
    for definition in definitions {
        let target = Target::new(row.clone(), "", definition.name());
        registry.patch(&ctx, &target, Patch::Apply(definition.into()), &options).await?;
    }
    let until = Instant::now() + ESTABLISH;
    for name in names {
        while !registry.table().has_crd(&name) {
            if Instant::now() > until {
                warn!(name, "the definition was applied, but is not served (its conditions have the reason)");
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn definitions_are_found_among_other_manifests_of_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        write(
            folder.path(),
            "b.yaml",
            "---\n# a remark\n---\nkind: CustomResourceDefinition\nmetadata: {name: z.example.com}\n",
        );
        write(
            folder.path(),
            "a.json",
            r#"{"kind": "CustomResourceDefinition", "metadata": {"name": "y.example.com"}}"#,
        );
        write(folder.path(), "kustomization.yaml", "kind: Kustomization\n");
        write(folder.path(), "README.md", "nothing");
        let found = read(&[folder.path().to_owned()]).unwrap();
        assert_eq!(
            found.iter().map(|definition| definition.name()).collect::<Vec<_>>(),
            ["y.example.com", "z.example.com"]
        );
    }

    #[test]
    fn a_file_that_was_named_must_hold_definitions() {
        let folder = tempfile::tempdir().unwrap();
        for (text, words) in [("kind: Pod\n", "\"Pod\" is not a CustomResourceDefinition"), ("a: [\n", "one.yaml")] {
            let error = read(&[write(folder.path(), "one.yaml", text)]).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("one.yaml"), "{error}");
        }
        assert!(read(&[folder.path().join("absent.yaml")]).unwrap_err().to_string().contains("absent.yaml"));
    }
}

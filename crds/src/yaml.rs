//! The YAML of the CustomResourceDefinitions, as committed under `manifests/crds/`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

/// Name of the file that holds a definition: `apps.coxswain.dev.yaml`.
pub fn file_name(definition: &CustomResourceDefinition) -> String {
    format!("{}.yaml", definition.metadata.name.as_deref().unwrap_or_default())
}

/// The file's content.
///
/// # Errors
/// When the definition cannot be written as YAML, which is a mistake in its types.
pub fn render(definition: &CustomResourceDefinition) -> Result<String, String> {
    let mut value = serde_json::to_value(definition).map_err(|error| error.to_string())?;
    whole_numbers(&mut value);
    let yaml = serde_saphyr::to_string(&value).map_err(|error| error.to_string())?;
    Ok(format!("# Generated from crds/ by `BLESS=1 cargo test -p crds`; do not edit.\n{yaml}"))
}

/// Limits are kept as floating point numbers; a person writes `minimum: 0`.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or_default();
            if float.fract() == 0.0 && float.abs() < 1e15 {
                *value = Value::from(float as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        _ => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_committed_yaml_is_current() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/crds");
        let mut expected = Vec::new();
        for definition in crate::definitions() {
            let (name, yaml) = (file_name(&definition), render(&definition).unwrap());
            let path = folder.join(&name);
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(&path, &yaml).unwrap();
            }
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(committed == yaml, "{} is stale: run `BLESS=1 cargo test -p crds`", path.display());
            let read: CustomResourceDefinition = serde_saphyr::from_str(&yaml).unwrap();
            assert_eq!(read, definition, "what {name} says when it is read back");
            expected.push(name);
        }
        let mut found: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        found.retain(|name| name != "kustomization.yaml");
        let listed = std::fs::read_to_string(folder.join("kustomization.yaml")).unwrap();
        for name in &expected {
            assert!(listed.contains(&format!("\n- {name}\n")), "kustomization.yaml does not name {name}:\n{listed}");
        }
        assert_eq!(found, expected, "files in {} that no type stands behind", folder.display());
    }
}

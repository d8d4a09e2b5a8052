//! What an App must be, beyond what its schema says. Pure.

use std::collections::HashSet;

use crds::app::AppSpec;
use crds::quantity;

use crate::image::{self, Version};

/// More replicas than this are taken for a mistake.
pub const MAX_REPLICAS: i32 = 10_000;

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The field: `spec.env[0].name`.
    pub field: String,
    /// What is wrong, with the value, in upstream's form, without the field.
    pub message: String,
}

/// What a review comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Why it is refused; it is approved when there is nothing.
    pub causes: Vec<Cause>,
    /// What a person may want to know nevertheless.
    pub warnings: Vec<String>,
}

impl Findings {
    fn invalid(&mut self, field: impl Into<String>, value: &str, why: impl AsRef<str>) {
        let message = format!("Invalid value: {value:?}: {}", why.as_ref());
        self.causes.push(Cause { field: field.into(), message });
    }

    fn duplicate(&mut self, field: impl Into<String>, value: &str) {
        let message = format!("Duplicate value: {value:?}");
        self.causes.push(Cause { field: field.into(), message });
    }

    fn warn(&mut self, field: &str, what: impl AsRef<str>) {
        self.warnings.push(format!("{field}: {}", what.as_ref()));
    }

    /// All causes on one line.
    pub fn message(&self) -> String {
        let each: Vec<String> = self.causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        if each.len() > 1 { format!("[{}]", each.join(", ")) } else { each.concat() }
    }
}

/// The other Apps of the namespace, as far as they are known.
pub trait Neighbours {
    /// What an App depends on; none when there is no such App.
    fn depends_on(&self, name: &str) -> Option<Vec<String>>;
}

/// Reviews an App. `name` is empty when the server is to generate it.
pub fn validate(name: &str, spec: &AppSpec, neighbours: &dyn Neighbours) -> Findings {
    let mut findings = Findings::default();
    if name.len() > 63 || name.contains('.') {
        findings.invalid(
            "metadata.name",
            name,
            "must be at most 63 characters without dots: it is a label's value on the App's Pods",
        );
    }
    if !(0..=MAX_REPLICAS).contains(&spec.replicas) {
        let why = format!("must be between 0 and {MAX_REPLICAS}, inclusive");
        findings.invalid("spec.replicas", &spec.replicas.to_string(), why);
    }
    match image::parse(&spec.image) {
        Ok(Version::Named) => (),
        Ok(Version::Latest) => {
            findings.warn("spec.image", "names no version: what runs may change from one Pod to the next");
        }
        Err(why) => findings.invalid("spec.image", &spec.image, why),
    }
    env(spec, &mut findings);
    ports(spec, &mut findings);
    resources(spec, &mut findings);
    placing(spec, &mut findings);
    dependencies(name, spec, neighbours, &mut findings);
    findings
}

fn env(spec: &AppSpec, findings: &mut Findings) {
    let mut seen = HashSet::new();
    for (index, variable) in spec.env.iter().enumerate() {
        let field = format!("spec.env[{index}].name");
        if variable.name.is_empty() || !variable.name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=')
        {
            let why =
                "a valid environment variable name must consist only of printable ASCII characters other than '='";
            findings.invalid(&field, &variable.name, why);
        }
        if !seen.insert(&variable.name) {
            findings.duplicate(&field, &variable.name);
        }
    }
}

fn ports(spec: &AppSpec, findings: &mut Findings) {
    let mut numbers = HashSet::new();
    let mut names = HashSet::new();
    for (index, port) in spec.ports.iter().enumerate() {
        let field = format!("spec.ports[{index}]");
        if !(1..=65535).contains(&port.container_port) {
            let value = port.container_port.to_string();
            findings.invalid(format!("{field}.containerPort"), &value, "must be between 1 and 65535, inclusive");
        }
        if !numbers.insert((port.container_port, port.protocol)) {
            findings.duplicate(format!("{field}.containerPort"), &port.container_port.to_string());
        }
        let Some(name) = &port.name else { continue };
        let field = format!("{field}.name");
        if !is_port_name(name) {
            let why = "must be at most 15 lower case letters, digits and '-', with at least one letter, no '--', and no '-' at \
                       either end";
            findings.invalid(&field, name, why);
        }
        if !names.insert(name) {
            findings.duplicate(&field, name);
        }
    }
}

fn is_port_name(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && name.bytes().any(|byte| byte.is_ascii_lowercase())
        && !name.contains("--")
        && !name.starts_with('-')
        && !name.ends_with('-')
}

fn resources(spec: &AppSpec, findings: &mut Findings) {
    for (name, amount) in spec.requests() {
        let field = format!("spec.resources.{name}");
        match quantity::milli(&amount.0) {
            Err(error) => findings.invalid(&field, &amount.0, error.to_string()),
            Ok(milli) if milli < 0 => findings.invalid(&field, &amount.0, "must be greater than or equal to 0"),
            Ok(milli) if name == "memory" && milli % 1000 != 0 => {
                findings.warn(&field, format!("fractional byte value {:?} is rounded up", amount.0));
            }
            Ok(_) => (),
        }
    }
}

fn placing(spec: &AppSpec, findings: &mut Findings) {
    for (key, value) in &spec.node_selector {
        let field = format!("spec.nodeSelector[{key}]");
        if !is_qualified_name(key) {
            findings.invalid(
                &field,
                key,
                "must be a label's key: an optional DNS prefix and '/', then a name of at most 63 characters",
            );
        }
        if !value.is_empty() && !is_label_word(value) {
            findings.invalid(&field, value, "must be a label's value: at most 63 letters, digits, '-', '_' and '.', with a letter or digit at either end");
        }
    }
    for (index, toleration) in spec.tolerations.iter().enumerate() {
        let field = format!("spec.tolerations[{index}]");
        let exists = toleration.operator.as_deref() == Some("Exists");
        if toleration.key.as_deref().unwrap_or_default().is_empty() && !exists {
            let operator = toleration.operator.as_deref().unwrap_or_default();
            findings.invalid(
                format!("{field}.operator"),
                operator,
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            );
        }
        let value = toleration.value.as_deref().unwrap_or_default();
        if exists && !value.is_empty() {
            findings.invalid(format!("{field}.value"), value, "value must be empty when `operator` is 'Exists'");
        }
        let effect = toleration.effect.as_deref().unwrap_or_default();
        if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
            findings.invalid(
                format!("{field}.effect"),
                effect,
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            );
        }
    }
}

fn is_label_word(word: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    word.len() <= 63
        && edge(word.bytes().next())
        && edge(word.bytes().last())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn is_qualified_name(key: &str) -> bool {
    match key.split_once('/') {
        None => is_label_word(key),
        Some((prefix, name)) => {
            let part = |part: &str| {
                !part.is_empty()
                    && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
                    && !part.starts_with('-')
                    && !part.ends_with('-')
            };
            prefix.len() <= 253 && prefix.split('.').all(part) && is_label_word(name)
        }
    }
}

fn dependencies(name: &str, spec: &AppSpec, neighbours: &dyn Neighbours, findings: &mut Findings) {
    for (index, dependency) in spec.depends_on.iter().enumerate() {
        let field = format!("spec.dependsOn[{index}]");
        if dependency == name {
            findings.invalid(&field, dependency, "an App cannot depend on itself");
            continue;
        }
        if neighbours.depends_on(dependency).is_none() {
            findings.warn(&field, format!("there is no App {dependency:?} in this namespace yet"));
        } else if let Some(path) = path_to(name, dependency, neighbours) {
            findings.invalid(&field, dependency, format!("makes a cycle: {name} -> {}", path.join(" -> ")));
        }
    }
}

/// The way along dependencies from an App to the one of a name.
fn path_to(name: &str, from: &str, neighbours: &dyn Neighbours) -> Option<Vec<String>> {
    let mut seen = HashSet::new();
    let mut ways = vec![vec![from.to_owned()]];
    while let Some(way) = ways.pop() {
        let Some(last) = way.last() else { continue };
        if last == name {
            return Some(way);
        }
        if !seen.insert(last.clone()) {
            continue;
        }
        for next in neighbours.depends_on(last).into_iter().flatten() {
            ways.push(way.iter().cloned().chain([next]).collect());
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::collections::HashMap;

    impl Neighbours for HashMap<&str, Vec<&str>> {
        fn depends_on(&self, name: &str) -> Option<Vec<String>> {
            self.get(name).map(|others| others.iter().map(|&other| other.to_owned()).collect())
        }
    }

    fn findings(spec: Value) -> Findings {
        let mut spec = spec;
        spec.as_object_mut().unwrap().entry("image").or_insert(json!("nginx:1"));
        let neighbours: HashMap<&str, Vec<&str>> = [("db", vec![]), ("a", vec!["b"]), ("b", vec!["web"])].into();
        validate("web", &serde_json::from_value(spec).unwrap(), &neighbours)
    }

    #[test]
    fn every_rule_names_its_field() {
        for (spec, field) in [
            (json!({"replicas": -1}), "spec.replicas"),
            (json!({"replicas": 10_001}), "spec.replicas"),
            (json!({"image": "Nginx"}), "spec.image"),
            (json!({"env": [{"name": "A=B"}]}), "spec.env[0].name"),
            (json!({"env": [{"name": "A"}, {"name": "A"}]}), "spec.env[1].name"),
            (json!({"ports": [{"containerPort": 0}]}), "spec.ports[0].containerPort"),
            (json!({"ports": [{"containerPort": 80}, {"containerPort": 80}]}), "spec.ports[1].containerPort"),
            (
                json!({"ports": [{"name": "x", "containerPort": 80}, {"name": "x", "containerPort": 81}]}),
                "spec.ports[1].name",
            ),
            (json!({"ports": [{"name": "80", "containerPort": 80}]}), "spec.ports[0].name"),
            (json!({"resources": {"cpu": "much"}}), "spec.resources.cpu"),
            (json!({"resources": {"memory": "-1Gi"}}), "spec.resources.memory"),
            (json!({"nodeSelector": {"a b": "c"}}), "spec.nodeSelector[a b]"),
            (json!({"nodeSelector": {"a": "-"}}), "spec.nodeSelector[a]"),
            (json!({"tolerations": [{"value": "x"}]}), "spec.tolerations[0].operator"),
            (json!({"tolerations": [{"key": "k", "operator": "Exists", "value": "x"}]}), "spec.tolerations[0].value"),
            (
                json!({"tolerations": [{"key": "k", "effect": "NoSchedule", "tolerationSeconds": 1}]}),
                "spec.tolerations[0].effect",
            ),
            (json!({"dependsOn": ["web"]}), "spec.dependsOn[0]"),
            (json!({"dependsOn": ["db", "a"]}), "spec.dependsOn[1]"),
        ] {
            let fields: Vec<String> = findings(spec.clone()).causes.into_iter().map(|cause| cause.field).collect();
            assert_eq!(fields, [field], "{spec}");
        }
    }

    #[test]
    fn what_is_fine_is_approved_and_what_is_odd_is_warned_about() {
        for (spec, warnings) in [
            (
                json!({"resources": {"cpu": "500m", "memory": "1Gi"}, "dependsOn": ["db"], "nodeSelector": {"kubernetes.io/os": "linux"}}),
                vec![],
            ),
            (json!({"ports": [{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}]}), vec![]),
            (
                json!({"image": "nginx"}),
                vec!["spec.image: names no version: what runs may change from one Pod to the next"],
            ),
            (
                json!({"dependsOn": ["later"]}),
                vec!["spec.dependsOn[0]: there is no App \"later\" in this namespace yet"],
            ),
            (
                json!({"resources": {"memory": "100m"}}),
                vec!["spec.resources.memory: fractional byte value \"100m\" is rounded up"],
            ),
        ] {
            let found = findings(spec.clone());
            assert_eq!(
                (found.causes, found.warnings),
                (vec![], warnings.into_iter().map(str::to_owned).collect()),
                "{spec}"
            );
        }
    }

    #[test]
    fn a_cycle_is_shown() {
        let message = findings(json!({"dependsOn": ["a"]})).message();
        assert_eq!(message, "spec.dependsOn[0]: Invalid value: \"a\": makes a cycle: web -> a -> b -> web");
    }
}

//! `--runtime-config`: which of the built-in versions and resources are served.
//!
//! The rules are upstream's `resourceconfig`: `api/all`, `api/ga`, `api/beta` and `api/alpha` first and in this order, then
//! single versions, then single resources. What this server does not have cannot be turned on by them.

use std::collections::BTreeMap;

use apimachinery::gvk::{GroupVersion, GroupVersionResource};
use registry::Table;

use crate::options::boolean;

/// Versions and resources turned on and off, by what was written to name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeConfig(BTreeMap<String, String>);

/// A kind of versions: how it is called, and which belong to it.
type Level = (&'static str, fn(&str) -> bool);

/// In the order in which they are obeyed.
const LEVELS: [Level; 4] = [
    ("api/all", |_| true),
    ("api/ga", is_ga),
    ("api/beta", |v| is_pre(v, "beta")),
    ("api/alpha", |v| is_pre(v, "alpha")),
];

impl RuntimeConfig {
    /// Reads entries such as `apps/v1=false`; a later one replaces an earlier one of the same name.
    ///
    /// # Errors
    /// Upstream's words for a name or value that is none.
    pub fn parse(entries: &[String]) -> Result<Self, String> {
        let mut settings = BTreeMap::new();
        for entry in entries.iter().filter(|entry| !entry.is_empty()) {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            settings.insert(name.trim().to_owned(), value.trim().to_owned());
        }
        if settings.len() == 1 && settings.get("api/all").is_some_and(|value| value == "false") {
            return Err("invalid runtime-config with only api/all=false".to_owned());
        }
        let config = Self(settings);
        for (name, value) in &config.0 {
            if level(name).is_some() {
                if value != "true" && value != "false" {
                    return Err(format!("invalid value {name}={value}"));
                }
                continue;
            }
            let (_, resource) = target(name).ok_or_else(|| format!("runtime-config invalid key {name}"))?;
            if let Some(resource) = resource.filter(|resource| resource.chars().any(char::is_uppercase)) {
                return Err(format!(
                    "invalid key {name}: group/version/resource and resource is always lowercase plural, not {resource:?}"
                ));
            }
            setting(value).map_err(|error| format!("invalid value of {name}: {value}, err: {error}"))?;
        }
        Ok(config)
    }

    /// The built-in resources of `table` that are not to be served.
    ///
    /// # Errors
    /// Upstream's words for groups that are not known at all.
    pub fn disabled(&self, table: &Table) -> Result<Vec<GroupVersionResource>, String> {
        let known = |group: &str| table.groups().iter().any(|known| known.name == group);
        let strangers: Vec<String> = self
            .targets()
            .filter(|(version, _, _)| !known(&version.group))
            .map(|(version, _, _)| version.to_string())
            .collect();
        if !strangers.is_empty() {
            return Err(format!("unknown api groups {}", strangers.join(",")));
        }
        let rows = table.rows().iter().filter(|row| !row.is_custom() && !self.serves(&row.gvr));
        Ok(rows.map(|row| row.gvr.clone()).collect())
    }

    /// The versions and resources named that `table` does not have, and that are to be served: they are not.
    pub fn missing(&self, table: &Table) -> Vec<String> {
        let there = |version: &GroupVersion, resource: Option<&str>| {
            table.rows().iter().any(|row| {
                row.gvr.group == version.group
                    && row.gvr.version == version.version
                    && resource.is_none_or(|resource| row.gvr.resource == resource)
            })
        };
        let wanted = self.targets().filter(|(_, _, on)| *on);
        let missing = wanted.filter(|(version, resource, _)| !there(version, *resource));
        missing
            .map(|(version, resource, _)| match resource {
                Some(resource) => format!("{version}/{resource}"),
                None => version.to_string(),
            })
            .collect()
    }

    /// The versions and resources that are named one by one, and whether they are to be served.
    fn targets(&self) -> impl Iterator<Item = (GroupVersion, Option<&str>, bool)> {
        self.0.iter().filter(|(name, _)| level(name).is_none()).filter_map(|(name, value)| {
            let (version, resource) = target(name)?;
            Some((version, resource, setting(value).ok()?))
        })
    }

    fn serves(&self, gvr: &GroupVersionResource) -> bool {
        let mut served = true;
        for (name, applies) in LEVELS {
            if applies(&gvr.version)
                && let Some(value) = self.0.get(name)
            {
                served = value == "true";
            }
        }
        let of_version = |version: &GroupVersion| version.group == gvr.group && version.version == gvr.version;
        for (_, _, on) in self.targets().filter(|(version, resource, _)| resource.is_none() && of_version(version)) {
            served = on;
        }
        for (_, _, on) in self
            .targets()
            .filter(|(version, resource, _)| *resource == Some(gvr.resource.as_str()) && of_version(version))
        {
            served = on;
        }
        served
    }
}

fn level(name: &str) -> Option<usize> {
    LEVELS.iter().position(|(level, _)| *level == name)
}

/// `<group>/<version>` or `<group>/<version>/<resource>`; the core group's is empty.
fn target(name: &str) -> Option<(GroupVersion, Option<&str>)> {
    let mut parts = name.split('/');
    let (group, version, resource) = (parts.next()?, parts.next()?, parts.next());
    parts.next().is_none().then(|| (GroupVersion::new(group, version), resource))
}

/// Whether a version or resource is on; named alone, it is.
fn setting(value: &str) -> Result<bool, String> {
    if value.is_empty() { Ok(true) } else { boolean(value) }
}

/// `v1`.
fn is_ga(version: &str) -> bool {
    version.strip_prefix('v').is_some_and(|number| !number.is_empty() && is_digits(number))
}

/// `v1beta2`, where `stage` is `beta`.
fn is_pre(version: &str, stage: &str) -> bool {
    let parts = version.strip_prefix('v').and_then(|rest| rest.split_once(stage));
    parts.is_some_and(|(major, minor)| [major, minor].iter().all(|part| !part.is_empty() && is_digits(part)))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RuntimeConfig, String> {
        RuntimeConfig::parse(&text.split(',').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_resource_goes_before_its_version_and_a_version_before_its_level() {
        let table = Table::builtin();
        let disabled = |text: &str| parse(text).unwrap().disabled(&table).unwrap();
        let has = |list: &[GroupVersionResource], group: &str, resource: &str| {
            list.iter().any(|gvr| gvr.group == group && gvr.resource == resource)
        };
        assert!(disabled("api/all=true").is_empty());
        let apps = disabled("apps/v1=false");
        assert!(has(&apps, "apps", "deployments") && !has(&apps, "batch", "jobs"), "{apps:?}");
        let one = disabled("apps/v1=false,apps/v1/deployments=true");
        assert!(!has(&one, "apps", "deployments") && has(&one, "apps", "statefulsets"), "{one:?}");
        let core = disabled("api/all=false,/v1=true");
        assert!(!has(&core, "", "pods") && has(&core, "apps", "deployments"), "{core:?}");
        let ga = disabled("api/ga=false,api/beta=true");
        assert!(has(&ga, "", "pods") && ga.iter().all(|gvr| is_ga(&gvr.version)), "{ga:?}");
    }

    #[test]
    fn what_is_wrong_is_refused_in_the_words_of_upstream() {
        for (text, words) in [
            ("api/all=false", "invalid runtime-config with only api/all=false"),
            ("api/all=maybe,apps/v1", "invalid value api/all=maybe"),
            ("v1=true", "runtime-config invalid key v1"),
            (
                "apps/v1=perhaps",
                "invalid value of apps/v1: perhaps, err: strconv.ParseBool: parsing \"perhaps\": invalid syntax",
            ),
            ("apps/v1/Deployments=false", "always lowercase plural, not \"Deployments\""),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
        let error =
            parse("none.example.com/v1=true,api/legacy=false").unwrap().disabled(&Table::builtin()).unwrap_err();
        assert_eq!(error, "unknown api groups api/legacy,none.example.com/v1");
    }

    #[test]
    fn what_is_asked_for_and_not_there_is_named() {
        let config = parse("apps/v1=true,batch/v2alpha1=true,apps/v1/things=true,apps/v9=false").unwrap();
        assert_eq!(config.missing(&Table::builtin()), ["apps/v1/things", "batch/v2alpha1"]);
    }
}

//! A rule of a role: what it allows, what it covers of another, and how it is shown.

use apimachinery::quote::quoted;
use serde::{Deserialize, Deserializer, Serialize};

use crate::authorizer::Attributes;

/// Matches everything where it stands alone; in a path's rule it ends a prefix.
const ALL: &str = "*";

/// What a role allows, in the wire shape of rbac/v1 `PolicyRule`: something of resources, or of other paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyRule {
    /// API groups; `*` is all.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    /// Paths; `*` is all, a trailing `*` matches any rest.
    #[serde(rename = "nonResourceURLs", deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub non_resource_urls: Vec<String>,
    /// Names; none is all.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    /// `resource`, `resource/subresource`, `*/subresource`; `*` is all.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Verbs; `*` is all.
    #[serde(deserialize_with = "nullable")]
    pub verbs: Vec<String>,
}

/// Go reads null as nothing.
pub(super) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn has(set: &[String], text: &str) -> bool {
    set.iter().any(|one| one == text)
}

fn has_or_all(set: &[String], text: &str) -> bool {
    set.iter().any(|one| one == ALL || one == text)
}

fn has_all_or_star(set: &[String], others: &[String]) -> bool {
    has(set, ALL) || others.iter().all(|other| has(set, other))
}

impl PolicyRule {
    /// Whether it allows what is asked for.
    pub fn allows(&self, asked: &Attributes) -> bool {
        if !has_or_all(&self.verbs, &asked.verb) {
            return false;
        }
        if !asked.resource_request {
            return self.non_resource_urls.iter().any(|rule| url_covers(rule, &asked.path));
        }
        has_or_all(&self.api_groups, &asked.group)
            && self.resources.iter().any(|rule| resource_matches(rule, &asked.resource, &asked.subresource))
            && (self.resource_names.is_empty() || has(&self.resource_names, &asked.name))
    }

    /// Whether everything that the atomic rule `other` allows is allowed by this one.
    fn covers(&self, other: &Self) -> bool {
        has_all_or_star(&self.verbs, &other.verbs)
            && has_all_or_star(&self.api_groups, &other.api_groups)
            && resources_cover(&self.resources, &other.resources)
            && other.non_resource_urls.iter().all(|url| self.non_resource_urls.iter().any(|own| url_covers(own, url)))
            && (self.resource_names.is_empty()
                || (!other.resource_names.is_empty()
                    && other.resource_names.iter().all(|name| has(&self.resource_names, name))))
    }

    /// The rules of one group, resource, verb and name, or one path and verb, that make it up.
    fn atoms(&self) -> Vec<Self> {
        let one = |text: &String| vec![text.clone()];
        let mut atoms = Vec::new();
        for group in &self.api_groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    let whole =
                        Self { api_groups: one(group), resources: one(resource), verbs: one(verb), ..Self::default() };
                    if self.resource_names.is_empty() {
                        atoms.push(whole);
                    } else {
                        let named = |name: &String| Self { resource_names: one(name), ..whole.clone() };
                        atoms.extend(self.resource_names.iter().map(named));
                    }
                }
            }
        }
        for url in &self.non_resource_urls {
            for verb in &self.verbs {
                atoms.push(Self { non_resource_urls: one(url), verbs: one(verb), ..Self::default() });
            }
        }
        atoms
    }

    /// How a refusal shows it: `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`.
    pub fn compact(&self) -> String {
        let parts = [
            ("APIGroups", &self.api_groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.non_resource_urls),
            ("ResourceNames", &self.resource_names),
            ("Verbs", &self.verbs),
        ];
        let shown = parts.iter().filter(|(_, texts)| !texts.is_empty());
        let shown: Vec<String> = shown.map(|(name, texts)| format!("{name}:{}", quoted_list(texts))).collect();
        format!("{{{}}}", shown.join(", "))
    }

    /// Its group and resource, if that and verbs are all it says.
    fn simple(&self) -> Option<(&str, &str)> {
        match (self.api_groups.as_slice(), self.resources.as_slice()) {
            ([group], [resource]) if self.resource_names.is_empty() && self.non_resource_urls.is_empty() => {
                Some((group, resource))
            }
            _ => None,
        }
    }
}

/// Texts as Go's `%q` shows a slice.
pub(super) fn quoted_list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", quoted.join(" "))
}

fn resource_matches(rule: &str, resource: &str, subresource: &str) -> bool {
    if rule == ALL {
        return true;
    }
    if subresource.is_empty() {
        return rule == resource;
    }
    match rule.strip_suffix(subresource).and_then(|rest| rest.strip_suffix('/')) {
        Some(of) => of == ALL || of == resource,
        None => false,
    }
}

fn resources_cover(set: &[String], others: &[String]) -> bool {
    has(set, ALL)
        || others.iter().all(|other| {
            has(set, other)
                || other.split_once('/').is_some_and(|(_, subresource)| {
                    set.iter().any(|own| own.strip_prefix("*/").is_some_and(|own| own == subresource))
                })
        })
}

/// Whether the path's rule covers a path, or another rule.
fn url_covers(rule: &str, url: &str) -> bool {
    rule == url || (rule.ends_with('*') && url.starts_with(rule.trim_end_matches('*')))
}

/// What of `wanted` none of `held` covers, in atomic rules (upstream's `Covers`).
pub fn uncovered(held: &[PolicyRule], wanted: &[PolicyRule]) -> Vec<PolicyRule> {
    let atoms = wanted.iter().flat_map(PolicyRule::atoms);
    atoms.filter(|atom| !held.iter().any(|rule| rule.covers(atom))).collect()
}

/// Puts together rules of one group and resource that differ by nothing but verbs. Others stay, before them.
pub fn compacted(rules: Vec<PolicyRule>) -> Vec<PolicyRule> {
    let (mut simple, mut others): (Vec<PolicyRule>, Vec<PolicyRule>) = (Vec::new(), Vec::new());
    for rule in rules {
        if rule.simple().is_none() {
            others.push(rule);
        } else if let Some(known) = simple.iter_mut().find(|known| known.simple() == rule.simple()) {
            known.verbs.extend(rule.verbs);
        } else {
            simple.push(rule);
        }
    }
    others.extend(simple);
    others
}

//! Nobody gives what they do not have: the check of roles and bindings that are written.

use std::collections::BTreeSet;

use apimachinery::aggregate;
use apimachinery::gvk::GroupResource;
use apimachinery::quote::quoted;
use apimachinery::user::UserInfo;

use super::policy::{Policy, Unresolved};
use super::rule::{PolicyRule, compacted, quoted_list, uncovered};

/// Why an aggregation rule is refused to all who may not do everything.
pub const FULL_AUTHORITY_WORDS: &str = "must have cluster-admin privileges to use the aggregationRule";

/// The rules of who may do everything.
pub fn full_authority() -> [PolicyRule; 2] {
    let all = || vec!["*".to_owned()];
    [
        PolicyRule { verbs: all(), api_groups: all(), resources: all(), ..PolicyRule::default() },
        PolicyRule { verbs: all(), non_resource_urls: all(), ..PolicyRule::default() },
    ]
}

/// Why `user` may not give `rules` in `namespace` (empty: cluster-wide), in upstream's words; `None` if they are held.
/// `resource` is what the request is about.
pub fn ungranted(
    policy: &Policy,
    user: &UserInfo,
    namespace: &str,
    rules: &[PolicyRule],
    resource: &GroupResource,
) -> Option<String> {
    let (held, unresolved) = policy.rules_for(user, namespace);
    let held: Vec<PolicyRule> = held.into_iter().cloned().collect();
    let missing = uncovered(&held, rules);
    if missing.is_empty() {
        return None;
    }
    let shown: BTreeSet<String> = compacted(missing).iter().map(PolicyRule::compact).collect();
    let shown: Vec<String> = shown.into_iter().collect();
    let mut words = format!(
        "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        quoted(&user.name),
        quoted_list(&user.groups),
        shown.join("\n")
    );
    if !unresolved.is_empty() {
        let errors: Vec<String> = unresolved.iter().map(|error: &Unresolved| error.within(resource)).collect();
        words.push_str(&format!("; resolution errors: [{}]", aggregate(&errors)));
    }
    Some(words)
}

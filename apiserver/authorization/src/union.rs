//! Authorizers over others, and those that need to know nothing.

use std::sync::Arc;

use apimachinery::aggregate;
use apimachinery::user::{SYSTEM_MASTERS, UserInfo};
use async_trait::async_trait;

use crate::authorizer::{Attributes, Authorizer, Decision, NonResourceRule, ResourceRule, Rules};

/// Several authorizers, asked in order.
pub struct Union(pub Vec<Arc<dyn Authorizer>>);

#[async_trait]
impl Authorizer for Union {
    async fn authorize(&self, attributes: &Attributes) -> Decision {
        let (mut reasons, mut errors) = (Vec::new(), Vec::new());
        for authorizer in &self.0 {
            match authorizer.authorize(attributes).await {
                Decision::NoOpinion(reason) => reasons.push(reason),
                Decision::Failed { denied: false, reason, error } => {
                    reasons.push(reason);
                    errors.push(error);
                }
                decided => return decided,
            }
        }
        reasons.retain(|reason| !reason.is_empty());
        let reason = reasons.join("\n");
        match errors.is_empty() {
            true => Decision::NoOpinion(reason),
            false => Decision::Failed { denied: false, reason, error: aggregate(&errors) },
        }
    }

    async fn rules(&self, user: &UserInfo, namespace: &str) -> Rules {
        let mut all = Rules::default();
        for authorizer in &self.0 {
            let Rules { resource, non_resource, incomplete, errors } = authorizer.rules(user, namespace).await;
            all.resource.extend(resource);
            all.non_resource.extend(non_resource);
            all.incomplete |= incomplete;
            all.errors.extend(errors);
        }
        all
    }
}

/// Lets `system:masters` do everything: whatever the modes are, somebody can mend them.
pub struct Privileged;

#[async_trait]
impl Authorizer for Privileged {
    async fn authorize(&self, attributes: &Attributes) -> Decision {
        if attributes.user.is_in_group(SYSTEM_MASTERS) { Decision::allow() } else { Decision::no_opinion() }
    }

    async fn rules(&self, user: &UserInfo, _namespace: &str) -> Rules {
        if user.is_in_group(SYSTEM_MASTERS) { everything() } else { Rules::default() }
    }
}

/// Lets everybody ask for these paths, which are no resources.
pub struct Paths(pub &'static [&'static str]);

#[async_trait]
impl Authorizer for Paths {
    async fn authorize(&self, attributes: &Attributes) -> Decision {
        let asked = !attributes.resource_request && self.0.contains(&attributes.path.as_str());
        if asked { Decision::allow() } else { Decision::no_opinion() }
    }
}

/// Upstream's modes `AlwaysAllow` and `AlwaysDeny`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Always {
    /// Everything is allowed.
    Allow,
    /// Nothing is allowed by this one.
    Deny,
}

#[async_trait]
impl Authorizer for Always {
    async fn authorize(&self, _attributes: &Attributes) -> Decision {
        match self {
            Self::Allow => Decision::allow(),
            Self::Deny => Decision::NoOpinion("Everything is forbidden.".to_owned()),
        }
    }

    async fn rules(&self, _user: &UserInfo, _namespace: &str) -> Rules {
        match self {
            Self::Allow => everything(),
            Self::Deny => Rules::default(),
        }
    }
}

fn everything() -> Rules {
    let all = || vec!["*".to_owned()];
    Rules {
        resource: vec![ResourceRule { verbs: all(), api_groups: all(), resources: all(), resource_names: Vec::new() }],
        non_resource: vec![NonResourceRule { verbs: all(), urls: all() }],
        ..Rules::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers always the same.
    struct Says(Decision);

    #[async_trait]
    impl Authorizer for Says {
        async fn authorize(&self, _attributes: &Attributes) -> Decision {
            self.0.clone()
        }
    }

    #[tokio::test]
    async fn the_first_who_decides_does_and_what_failed_is_told_where_nobody_does() {
        let no_opinion = || Decision::NoOpinion("n".into());
        let failed = |denied, error: &str| Decision::Failed { denied, reason: "r".into(), error: error.into() };
        let allow = || Decision::Allow("a".into());
        let deny = || Decision::Deny("d".into());
        let both = Decision::Failed { denied: false, reason: "r\nn\nr".into(), error: "[e, f]".into() };
        for (answers, decision) in [
            (vec![], Decision::no_opinion()),
            (vec![no_opinion(), Decision::no_opinion(), no_opinion()], Decision::NoOpinion("n\nn".into())),
            (vec![no_opinion(), allow(), deny()], allow()),
            (vec![no_opinion(), deny(), allow()], deny()),
            (vec![failed(false, "e"), allow()], allow()),
            (vec![failed(false, "e"), deny()], deny()),
            (vec![failed(true, "e"), allow()], failed(true, "e")),
            (vec![failed(false, "e"), no_opinion(), failed(false, "f")], both),
        ] {
            let shown = format!("{answers:?}");
            let authorizers = answers.into_iter().map(|answer| Arc::new(Says(answer)) as Arc<dyn Authorizer>);
            let attributes = Attributes::new(Arc::new(UserInfo::new("u", ["g"])), "get");
            assert_eq!(Union(authorizers.collect()).authorize(&attributes).await, decision, "{shown}");
        }
    }

    #[tokio::test]
    async fn paths_are_for_everybody_and_resources_of_their_names_are_not() {
        let paths = Paths(&["/healthz"]);
        for (path, resource_request, allowed) in
            [("/healthz", false, true), ("/healthz", true, false), ("/healthz/etcd", false, false), ("/", false, false)]
        {
            let user = Arc::new(UserInfo::new("u", ["g"]));
            let asked = Attributes { path: path.into(), resource_request, ..Attributes::new(user, "get") };
            assert_eq!(paths.authorize(&asked).await.is_allowed(), allowed, "{path}");
        }
    }
}

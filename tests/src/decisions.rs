//! What the authorizer decided, as a server's log tells at level 4, beside what roles grant.

use std::collections::BTreeSet;

use serde_json::Value;

/// One decision about a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Decision {
    user: String,
    verb: String,
    group: String,
    /// With the subresource.
    resource: String,
    namespace: String,
    name: String,
    allowed: bool,
}

/// The decisions of a log.
#[derive(Clone, Debug, Default)]
pub struct Decisions(BTreeSet<Decision>);

impl Decisions {
    /// Reads a log.
    pub fn of(log: &str) -> Self {
        let lines = log.lines().map(without_colors).filter(|line| line.contains(" authorization: "));
        Self(lines.filter_map(|line| Decision::parse(&line)).collect())
    }

    /// What a user was refused.
    pub fn refused(&self, user: &str) -> Vec<String> {
        let refused = self.0.iter().filter(|decision| decision.user == user && !decision.allowed);
        refused.map(|decision| format!("{decision:?}")).collect()
    }

    /// What rules let a user do that it never did: `verb resource.group [name]`.
    pub fn unused(&self, user: &str, rules: &[Value]) -> Vec<String> {
        let mut unused = Vec::new();
        for rule in rules {
            let of = |field: &str| rule[field].as_array().into_iter().flatten().filter_map(Value::as_str);
            let names: Vec<&str> = of("resourceNames").collect();
            for (group, resource) in of("apiGroups").flat_map(|group| of("resources").map(move |of| (group, of))) {
                for verb in of("verbs") {
                    let uses = |decision: &Decision| {
                        (decision.user.as_str(), decision.verb.as_str()) == (user, verb)
                            && (decision.group.as_str(), decision.resource.as_str()) == (group, resource)
                            && (names.is_empty() || names.contains(&decision.name.as_str()))
                    };
                    if !self.0.iter().any(uses) {
                        unused.push(format!("{verb} {resource}.{group} {}", names.join(",")));
                    }
                }
            }
        }
        unused
    }
}

impl Decision {
    fn parse(line: &str) -> Option<Self> {
        let field = |name: &str| {
            let start = line.find(&format!(" {name}="))? + name.len() + 2;
            let text = line[start..].strip_prefix('"')?;
            Some(text[..text.find('"')?].to_owned())
        };
        let (resource, subresource) = (field("resource")?, field("subresource")?);
        Some(Self {
            user: field("user")?,
            verb: field("verb")?,
            group: field("group")?,
            resource: if subresource.is_empty() { resource } else { format!("{resource}/{subresource}") },
            namespace: field("namespace")?,
            name: field("name")?,
            allowed: line.contains(" allowed=true"),
        })
    }
}

/// A line of the log without what terminals make colors of.
fn without_colors(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        rest = rest[at..].split_once('m').map_or("", |(_, rest)| rest);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_refused_and_what_was_never_done_is_found() {
        let line = |verb: &str, name: &str, allowed: bool| {
            format!(
                "2026 \u{1b}[34mDEBUG\u{1b}[0m authorization: user=\"u\" verb=\"{verb}\" group=\"\" resource=\"pods\" \
                 subresource=\"\" namespace=\"ns\" name=\"{name}\" allowed={allowed} reason=\"r\"\n"
            )
        };
        let decisions = Decisions::of(&format!("{}{}other\n", line("get", "a", true), line("list", "", false)));
        assert_eq!(decisions.refused("u").len(), 1);
        assert!(decisions.refused("u")[0].contains("list"));
        assert!(decisions.refused("v").is_empty());
        let rule = |names: Value| {
            [json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "watch"], "resourceNames": names})]
        };
        assert_eq!(decisions.unused("u", &rule(json!(["a"]))), ["watch pods. a"]);
        assert_eq!(decisions.unused("u", &rule(json!(["b"]))), ["get pods. b", "watch pods. b"]);
        assert_eq!(decisions.unused("u", &rule(json!([]))), ["watch pods. "]);
        assert_eq!(decisions.unused("v", &rule(json!(null))).len(), 2);
    }
}

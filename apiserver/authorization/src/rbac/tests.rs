use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn rule(groups: &[&str], resources: &[&str], names: &[&str], verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: texts(groups),
        resources: texts(resources),
        resource_names: texts(names),
        verbs: texts(verbs),
        ..PolicyRule::default()
    }
}

fn path_rule(urls: &[&str], verbs: &[&str]) -> PolicyRule {
    PolicyRule { non_resource_urls: texts(urls), verbs: texts(verbs), ..PolicyRule::default() }
}

/// `verb resource[/subresource][.group] [name]`, or `verb /path`.
fn asked(user: UserInfo, namespace: &str, question: &str) -> Attributes {
    let mut words = question.split(' ');
    let (verb, what) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let attributes = Attributes::new(Arc::new(user), verb);
    if what.starts_with('/') {
        return Attributes { path: what.into(), ..attributes };
    }
    let (what, group) = what.split_once('.').unwrap_or((what, ""));
    let (resource, subresource) = what.split_once('/').unwrap_or((what, ""));
    Attributes {
        resource_request: true,
        group: group.into(),
        resource: resource.into(),
        subresource: subresource.into(),
        namespace: namespace.into(),
        name: words.next().unwrap_or_default().into(),
        ..attributes
    }
}

#[test]
fn a_rule_allows_what_its_parts_match() {
    let cases = [
        (rule(&[""], &["pods"], &[], &["get"]), "get pods", true),
        (rule(&[""], &["pods"], &[], &["get"]), "list pods", false),
        (rule(&[""], &["pods"], &[], &["get"]), "get pods.apps", false),
        (rule(&[""], &["pods"], &[], &["get"]), "get pods/log", false),
        (rule(&[""], &["pods/log"], &[], &["get"]), "get pods/log", true),
        (rule(&[""], &["*/log"], &[], &["get"]), "get pods/log", true),
        (rule(&[""], &["*/log"], &[], &["get"]), "get pods/dialog", false),
        (rule(&[""], &["*/log"], &[], &["get"]), "get pods", false),
        (rule(&["*"], &["*"], &[], &["*"]), "fly pods/log.x", true),
        (rule(&[""], &["pods"], &["a"], &["get"]), "get pods a", true),
        (rule(&[""], &["pods"], &["a"], &["get"]), "get pods b", false),
        (rule(&[""], &["pods"], &["a"], &["list"]), "list pods", false),
        (rule(&["*"], &["*"], &[], &["*"]), "get /metrics", false),
        (path_rule(&["/healthz"], &["get"]), "get /healthz", true),
        (path_rule(&["/healthz"], &["get"]), "get /healthz/ping", false),
        (path_rule(&["/healthz/*"], &["get"]), "get /healthz/ping", true),
        (path_rule(&["/healthz*"], &["get"]), "get /healthzeee", true),
        (path_rule(&["*"], &["*"]), "post /anything", true),
        (path_rule(&["*"], &["*"]), "get pods", false),
    ];
    for (rule, question, allowed) in cases {
        let attributes = asked(UserInfo::new("u", ["g"]), "ns", question);
        assert_eq!(rule.allows(&attributes), allowed, "{} {question}", rule.compact());
    }
}

#[test]
fn what_is_not_held_is_shown_compactly() {
    let held = [rule(&[""], &["pods", "*/log"], &[], &["get"]), rule(&["apps"], &["*"], &["a"], &["*"])];
    let cases = [
        (vec![rule(&[""], &["pods", "nodes/log"], &[], &["get"])], vec![]),
        (vec![rule(&[""], &["pods"], &["x"], &["get"])], vec![]),
        (vec![rule(&["apps"], &["deployments"], &["a"], &["get", "delete"])], vec![]),
        (vec![rule(&["apps"], &["x"], &[], &["get"])], vec![r#"{APIGroups:["apps"], Resources:["x"], Verbs:["get"]}"#]),
        (
            vec![rule(&[""], &["pods", "secrets"], &[], &["get", "list", "watch"])],
            vec![
                r#"{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}"#,
                r#"{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list" "watch"]}"#,
            ],
        ),
        (vec![path_rule(&["/a*"], &["get"])], vec![r#"{NonResourceURLs:["/a*"], Verbs:["get"]}"#]),
    ];
    for (wanted, shown) in cases {
        let missing: Vec<String> = compacted(uncovered(&held, &wanted)).iter().map(PolicyRule::compact).collect();
        assert_eq!(missing, shown, "{wanted:?}");
    }
    assert!(
        uncovered(&full_authority(), &[rule(&["a"], &["b/c"], &["d"], &["e"]), path_rule(&["/x"], &["y"])]).is_empty()
    );
}

fn put(policy: &mut Policy, kind: Kind, object: serde_json::Value) {
    policy.put(kind, object.to_string().as_bytes()).unwrap();
}

#[test]
fn answers_name_the_binding_or_the_role_that_is_missing() {
    let mut policy = Policy::default();
    let read = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
    put(&mut policy, Kind::ClusterRole, json!({"metadata": {"name": "view"}, "rules": read, "aggregationRule": null}));
    put(&mut policy, Kind::Role, json!({"metadata": {"name": "empty", "namespace": "ns"}, "rules": null}));
    put(
        &mut policy,
        Kind::RoleBinding,
        json!({"metadata": {"name": "b", "namespace": "ns"}, "roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [
            {"kind": "Group", "name": "dev"}, {"kind": "ServiceAccount", "name": "robot"},
            {"kind": "ServiceAccount", "name": "robot", "namespace": "other"}]}),
    );
    put(
        &mut policy,
        Kind::RoleBinding,
        json!({"metadata": {"name": "gone", "namespace": "ns"}, "roleRef": {"kind": "Role", "name": "nope"},
            "subjects": [{"kind": "User", "name": "alice"}]}),
    );
    put(
        &mut policy,
        Kind::ClusterRoleBinding,
        json!({"metadata": {"name": "gone"}, "roleRef": {"kind": "ClusterRole", "name": "nope"},
            "subjects": [{"kind": "User", "name": "alice"}]}),
    );
    let allow = |words: &str| Decision::Allow(format!("RBAC: allowed by {words}"));
    let nothing = Decision::no_opinion;
    let view = r#"RoleBinding "b/ns" of ClusterRole "view" to"#;
    let cases = [
        ("bob", &["dev"][..], "ns", "get pods", allow(&format!(r#"{view} Group "dev""#))),
        ("bob", &["dev"], "elsewhere", "get pods", nothing()),
        ("bob", &["ops"], "ns", "get pods", nothing()),
        (
            "system:serviceaccount:ns:robot",
            &[],
            "ns",
            "get pods",
            allow(&format!(r#"{view} ServiceAccount "robot/ns""#)),
        ),
        (
            "system:serviceaccount:other:robot",
            &[],
            "ns",
            "get pods",
            allow(&format!(r#"{view} ServiceAccount "robot/other""#)),
        ),
        (
            "alice",
            &[],
            "ns",
            "get pods",
            Decision::NoOpinion(
                r#"RBAC: [clusterrole.rbac.authorization.k8s.io "nope" not found, role.rbac.authorization.k8s.io "nope" not found]"#
                    .into(),
            ),
        ),
    ];
    for (user, groups, namespace, question, expected) in cases {
        let asked = asked(UserInfo::new(user, groups.iter().copied()), namespace, question);
        assert_eq!(policy.authorize(&asked), expected, "{user} {groups:?} {namespace} {question}");
    }
}

#[test]
fn nobody_gives_what_they_do_not_have() {
    let mut policy = Policy::default();
    policy.put_role(Kind::ClusterRole, "", "view", vec![rule(&[""], &["pods"], &[], &["get"])]);
    let subjects = vec![Subject { kind: "Group".into(), name: "dev".into(), namespace: String::new() }];
    for (name, role) in [("a", "view"), ("b", "nope")] {
        let role = RoleRef { kind: "ClusterRole".into(), name: role.into() };
        policy.put_binding(Binding { namespace: "ns".into(), name: name.into(), role, subjects: subjects.clone() });
    }
    let user = UserInfo::new("al", ["dev", "system:authenticated"]);
    let resource = GroupResource::new(GROUP, "rolebindings");
    let wanted = [rule(&[""], &["pods"], &[], &["get"])];
    assert_eq!(ungranted(&policy, &user, "ns", &wanted, &resource), None);
    let words = "user \"al\" (groups=[\"dev\" \"system:authenticated\"]) is attempting to grant RBAC permissions not \
                 currently held:\n{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\"]}; resolution errors: \
                 [rolebindings.rbac.authorization.k8s.io \"nope\" not found]";
    let wanted = [rule(&[""], &["nodes", "pods"], &[], &["get"])];
    assert_eq!(ungranted(&policy, &user, "ns", &wanted, &resource).as_deref(), Some(words));
}

use apimachinery::gvk::GroupResource;

/// What upstream does: looks at every binding.
fn naively(roles: &[(Kind, String, String, PolicyRule)], bindings: &[Binding], asked: &Attributes) -> bool {
    let applies = |binding: &&Binding| binding.namespace.is_empty() || binding.namespace == asked.namespace;
    let mut applying = bindings.iter().filter(applies).filter(|binding| binding.subject_of(&asked.user).is_some());
    applying.any(|binding| {
        roles.iter().any(|(kind, namespace, name, rule)| {
            let named = binding.role.name == *name
                && match kind {
                    Kind::Role => binding.role.kind == "Role" && binding.namespace == *namespace,
                    _ => binding.role.kind == "ClusterRole",
                };
            named && rule.allows(asked)
        })
    })
}

fn pick<T: Clone + std::fmt::Debug + 'static>(from: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(from)
}

fn a_binding() -> impl Strategy<Value = Binding> {
    let subject =
        (pick(&["User", "Group", "ServiceAccount", "Odd"]), pick(&["a", "b"]), pick(&["", "x", "y"])).prop_map(
            |(kind, name, namespace)| Subject { kind: kind.into(), name: name.into(), namespace: namespace.into() },
        );
    let role = (pick(&["Role", "ClusterRole"]), pick(&["r", "s"]))
        .prop_map(|(kind, name)| RoleRef { kind: kind.into(), name: name.into() });
    let subjects = prop::collection::vec(subject, 0..3);
    (pick(&["", "x", "y"]), pick(&["1", "2", "3"]), role, subjects).prop_map(|(namespace, name, role, subjects)| {
        Binding { namespace: namespace.into(), name: name.into(), role, subjects }
    })
}

proptest! {
    #[test]
    fn the_index_answers_as_one_who_looks_at_every_binding(
        // Later ones replace earlier ones of their name; every third is removed again.
        written in prop::collection::vec((a_binding(), 0..3u8), 0..12),
        user in pick(&["a", "b", "system:serviceaccount:x:a", "system:serviceaccount:y:b"]),
        groups in prop::collection::vec(pick(&["a", "b", "c"]), 0..3),
        namespace in pick(&["", "x", "y", "z"]),
        resource in pick(&["p", "q", "s"]),
    ) {
        let roles = [
            (Kind::Role, "x".to_owned(), "r".to_owned(), rule(&[""], &["p"], &[], &["get"])),
            (Kind::Role, "y".to_owned(), "s".to_owned(), rule(&[""], &["q"], &[], &["get"])),
            (Kind::ClusterRole, String::new(), "s".to_owned(), rule(&[""], &["s"], &[], &["get"])),
        ];
        let (mut policy, mut bindings) = (Policy::default(), Vec::<Binding>::new());
        for (kind, namespace, name, rule) in &roles {
            policy.put_role(*kind, namespace, name, vec![rule.clone()]);
        }
        for (binding, fate) in written {
            bindings.retain(|known| (&known.namespace, &known.name) != (&binding.namespace, &binding.name));
            policy.put_binding(binding.clone());
            if fate == 0 {
                let kind = if binding.namespace.is_empty() { Kind::ClusterRoleBinding } else { Kind::RoleBinding };
                policy.remove(kind, &binding.namespace, &binding.name);
            } else {
                bindings.push(binding);
            }
        }
        let asked = asked(UserInfo::new(user, groups), namespace, &format!("get {resource}"));
        prop_assert_eq!(policy.authorize(&asked).is_allowed(), naively(&roles, &bindings, &asked));
        for kind in Kind::ALL {
            policy.clear(kind);
        }
        prop_assert_eq!(format!("{policy:?}"), format!("{:?}", Policy::default()));
    }
}

/// Bindings of `others` users and groups, and five of one user, its group and its service account's namespace.
fn crowded(others: usize) -> Policy {
    let mut policy = Policy::default();
    for role in ["view", "edit"] {
        let rules = vec![rule(&[""], &["pods"], &[], &["get"]), rule(&["apps"], &["*"], &[], &["get"])];
        policy.put_role(Kind::ClusterRole, "", role, rules);
    }
    let mut bind = |namespace: &str, name: String, kind: &str, subject: String| {
        let subject = Subject { kind: kind.into(), name: subject, namespace: String::new() };
        let role = RoleRef { kind: "ClusterRole".into(), name: "view".into() };
        policy.put_binding(Binding { namespace: namespace.into(), name, role, subjects: vec![subject] });
    };
    for n in 0..others {
        let namespace = if n % 10 == 0 { String::new() } else { format!("ns{}", n % 97) };
        let kind = if n % 3 == 0 { "Group" } else { "User" };
        bind(&namespace, format!("other{n}"), kind, format!("other{n}"));
    }
    for (namespace, kind, subject) in [
        ("", "User", "alice"),
        ("", "Group", "dev"),
        ("ns7", "User", "alice"),
        ("ns7", "Group", "dev"),
        // In another namespace it says nothing here.
        ("ns8", "User", "alice"),
    ] {
        bind(namespace, format!("own-{namespace}-{kind}"), kind, subject.to_owned());
    }
    policy
}

#[test]
fn a_decision_looks_at_the_bindings_of_who_asks_alone_however_many_there_are() {
    let alice = UserInfo::new("alice", ["dev", "system:authenticated"]);
    for others in [0, 100, 10_000] {
        let policy = crowded(others);
        for (namespace, bindings) in [("ns7", 4), ("ns9", 2), ("", 2)] {
            let (mut seen, mut rules) = (0, 0);
            let all: ControlFlow<()> = policy.visit(&alice, namespace, |granted| {
                seen += 1;
                rules += granted.rules.map_or(0, <[_]>::len);
                ControlFlow::Continue(())
            });
            assert!(all.is_continue());
            assert_eq!((seen, rules), (bindings, 2 * bindings), "in {namespace:?} beside {others} others");
        }
        let stranger = UserInfo::new("nobody", ["system:authenticated"]);
        let none = policy.visit(&stranger, "ns7", |_| ControlFlow::Break(()));
        assert!(none.is_continue(), "who has nothing looks at nothing beside {others} others");
        assert!(policy.authorize(&asked(alice.clone(), "ns7", "get pods")).is_allowed());
        assert!(!policy.authorize(&asked(alice.clone(), "ns7", "delete pods")).is_allowed());
    }
}

//! The roles and bindings there are, found by whom they are for.
//!
//! A question looks at the bindings of the asking user and groups alone, in its namespace and cluster-wide: how many
//! others there are does not matter.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use apimachinery::gvk::GroupResource;
use apimachinery::user::UserInfo;
use serde::Deserialize;

use super::rule::{PolicyRule, nullable};

/// The group of roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// The four kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Rules within a namespace.
    Role,
    /// Rules anywhere.
    ClusterRole,
    /// Who has a role in a namespace.
    RoleBinding,
    /// Who has a cluster role everywhere.
    ClusterRoleBinding,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Role, Self::ClusterRole, Self::RoleBinding, Self::ClusterRoleBinding];

    /// The resource's plural.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Role => "roles",
            Self::ClusterRole => "clusterroles",
            Self::RoleBinding => "rolebindings",
            Self::ClusterRoleBinding => "clusterrolebindings",
        }
    }
}

/// Whom a binding is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// `User`, `Group` or `ServiceAccount`.
    pub kind: String,
    /// The name.
    pub name: String,
    /// A service account's namespace; empty is that of the binding.
    pub namespace: String,
}

/// The role that a binding gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RoleRef {
    /// `Role` or `ClusterRole`.
    pub kind: String,
    /// The name.
    pub name: String,
}

/// A binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Its namespace; empty for a cluster role binding.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it gives.
    pub role: RoleRef,
    /// To whom.
    pub subjects: Vec<Subject>,
}

/// A role that a binding names and nobody can find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// There is none of that name.
    NotFound {
        /// Whether it would be a cluster role.
        cluster: bool,
        /// The name.
        name: String,
    },
    /// The kind is none of a role's.
    UnsupportedKind(String),
}

impl Unresolved {
    /// The words for a request about `resource`: upstream reads roles in that request's name.
    pub fn within(&self, resource: &GroupResource) -> String {
        match self {
            Self::NotFound { name, .. } => format!("{resource} \"{name}\" not found"),
            Self::UnsupportedKind(_) => self.to_string(),
        }
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { cluster, name } => {
                let resource = if *cluster { "clusterrole" } else { "role" };
                write!(f, "{resource}.{GROUP} \"{name}\" not found")
            }
            Self::UnsupportedKind(kind) => {
                write!(f, "unsupported role reference kind: {}", apimachinery::quote::quoted(kind))
            }
        }
    }
}

/// What somebody has by one binding.
pub struct Granted<'a> {
    /// The binding.
    pub binding: &'a Binding,
    /// The rules of its role, or why there are none.
    pub rules: Result<&'a [PolicyRule], Unresolved>,
}

/// Roles by name.
type Roles = HashMap<Box<str>, Arc<[PolicyRule]>>;
/// Names of bindings by the user or group that they are for.
type Names = HashMap<Box<str>, BTreeSet<Arc<str>>>;

/// The bindings of one namespace, or the cluster-wide ones.
#[derive(Debug, Default)]
struct Bindings {
    by_name: BTreeMap<Arc<str>, Binding>,
    /// Users, and service accounts by their user's name.
    users: Names,
    groups: Names,
}

/// All roles and bindings.
#[derive(Debug, Default)]
pub struct Policy {
    cluster_roles: Roles,
    /// By namespace.
    roles: HashMap<Box<str>, Roles>,
    /// By namespace; the cluster-wide ones under the empty one.
    bindings: HashMap<Box<str>, Bindings>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
    namespace: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RoleObject {
    metadata: Named,
    #[serde(deserialize_with = "nullable")]
    rules: Vec<PolicyRule>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BindingObject {
    metadata: Named,
    role_ref: RoleRef,
    #[serde(deserialize_with = "nullable")]
    subjects: Vec<Subject>,
}

impl Policy {
    /// Takes in an object of `kind`, as JSON; it replaces the one of its name.
    ///
    /// # Errors
    /// It is no such object. The one of its name, if any, stays.
    pub fn put(&mut self, kind: Kind, object: &[u8]) -> serde_json::Result<()> {
        match kind {
            Kind::Role | Kind::ClusterRole => {
                let RoleObject { metadata, rules } = serde_json::from_slice(object)?;
                self.put_role(kind, &metadata.namespace, &metadata.name, rules);
            }
            Kind::RoleBinding | Kind::ClusterRoleBinding => {
                let BindingObject { metadata: Named { name, namespace }, role_ref, subjects } =
                    serde_json::from_slice(object)?;
                self.put_binding(Binding { namespace, name, role: role_ref, subjects });
            }
        }
        Ok(())
    }

    /// Takes in a role's rules.
    pub fn put_role(&mut self, kind: Kind, namespace: &str, name: &str, rules: Vec<PolicyRule>) {
        let roles = match kind {
            Kind::Role => self.roles.entry(namespace.into()).or_default(),
            _ => &mut self.cluster_roles,
        };
        roles.insert(name.into(), rules.into());
    }

    /// Takes in a binding.
    pub fn put_binding(&mut self, binding: Binding) {
        self.remove_binding(&binding.namespace, &binding.name);
        let within = self.bindings.entry(binding.namespace.as_str().into()).or_default();
        let name: Arc<str> = binding.name.as_str().into();
        for subject in &binding.subjects {
            if let Some((names, key)) = within.index(&binding.namespace, subject) {
                names.entry(key.into()).or_default().insert(name.clone());
            }
        }
        within.by_name.insert(name, binding);
    }

    /// Forgets an object.
    pub fn remove(&mut self, kind: Kind, namespace: &str, name: &str) {
        match kind {
            Kind::ClusterRole => {
                self.cluster_roles.remove(name);
            }
            Kind::Role => {
                let Some(roles) = self.roles.get_mut(namespace) else { return };
                roles.remove(name);
                if roles.is_empty() {
                    self.roles.remove(namespace);
                }
            }
            Kind::RoleBinding | Kind::ClusterRoleBinding => self.remove_binding(namespace, name),
        }
    }

    /// Forgets all objects of a kind.
    pub fn clear(&mut self, kind: Kind) {
        match kind {
            Kind::ClusterRole => self.cluster_roles.clear(),
            Kind::Role => self.roles.clear(),
            Kind::RoleBinding => self.bindings.retain(|namespace, _| namespace.is_empty()),
            Kind::ClusterRoleBinding => {
                self.bindings.remove("");
            }
        }
    }

    fn remove_binding(&mut self, namespace: &str, name: &str) {
        let Some(within) = self.bindings.get_mut(namespace) else { return };
        let Some(binding) = within.by_name.remove(name) else { return };
        for subject in &binding.subjects {
            let Some((names, key)) = within.index(namespace, subject) else { continue };
            if let Some(of_subject) = names.get_mut(key.as_str()) {
                of_subject.remove(name);
                if of_subject.is_empty() {
                    names.remove(key.as_str());
                }
            }
        }
        if within.by_name.is_empty() {
            self.bindings.remove(namespace);
        }
    }

    /// The rules of the role that a binding in `namespace` (empty: cluster-wide) names.
    ///
    /// # Errors
    /// There is no such role.
    pub fn rules_of(&self, role: &RoleRef, namespace: &str) -> Result<&[PolicyRule], Unresolved> {
        let (cluster, roles) = match role.kind.as_str() {
            "Role" => (false, self.roles.get(namespace)),
            "ClusterRole" => (true, Some(&self.cluster_roles)),
            kind => return Err(Unresolved::UnsupportedKind(kind.to_owned())),
        };
        let rules = roles.and_then(|roles| roles.get(role.name.as_str()));
        rules.map(|rules| &**rules).ok_or_else(|| Unresolved::NotFound { cluster, name: role.name.clone() })
    }

    /// Tells `visitor` what `user` has cluster-wide, then in `namespace`, a binding at a time, until it breaks off.
    pub fn visit<'a, B>(
        &'a self,
        user: &UserInfo,
        namespace: &str,
        mut visitor: impl FnMut(Granted<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for namespace in std::iter::once("").chain((!namespace.is_empty()).then_some(namespace)) {
            let Some(within) = self.bindings.get(namespace) else { continue };
            let of_user = within.users.get(user.name.as_str());
            let of_groups = user.groups.iter().filter_map(|group| within.groups.get(group.as_str()));
            let sets: Vec<&BTreeSet<Arc<str>>> = of_user.into_iter().chain(of_groups).collect();
            for (at, set) in sets.iter().enumerate() {
                for name in *set {
                    if sets[..at].iter().any(|earlier| earlier.contains(name)) {
                        continue;
                    }
                    let Some(binding) = within.by_name.get(name) else { continue };
                    visitor(Granted { binding, rules: self.rules_of(&binding.role, namespace) })?;
                }
            }
        }
        ControlFlow::Continue(())
    }
}

impl Bindings {
    /// Where a subject's bindings are kept, and under which name; `None` for one that is nobody.
    fn index(&mut self, namespace: &str, subject: &Subject) -> Option<(&mut Names, String)> {
        match subject.kind.as_str() {
            "User" => Some((&mut self.users, subject.name.clone())),
            "Group" => Some((&mut self.groups, subject.name.clone())),
            "ServiceAccount" => service_account(namespace, subject).map(|user| (&mut self.users, user)),
            _ => None,
        }
    }
}

/// The user of a service account that a binding in `namespace` is for.
fn service_account(namespace: &str, subject: &Subject) -> Option<String> {
    let of = if subject.namespace.is_empty() { namespace } else { &subject.namespace };
    (!of.is_empty()).then(|| format!("system:serviceaccount:{of}:{}", subject.name))
}

impl Binding {
    /// The first subject that `user` is.
    pub fn subject_of(&self, user: &UserInfo) -> Option<&Subject> {
        self.subjects.iter().find(|subject| match subject.kind.as_str() {
            "User" => user.name == subject.name,
            "Group" => user.is_in_group(&subject.name),
            "ServiceAccount" => service_account(&self.namespace, subject).is_some_and(|name| name == user.name),
            _ => false,
        })
    }

    /// How a permission by it is explained: `RoleBinding "b/ns" of Role "r" to User "alice"`.
    pub fn describe(&self, user: &UserInfo) -> String {
        use apimachinery::quote::quoted;
        let (kind, name) = match self.namespace.as_str() {
            "" => ("ClusterRoleBinding", self.name.clone()),
            namespace => ("RoleBinding", format!("{}/{namespace}", self.name)),
        };
        let subject = self.subject_of(user).map_or_else(String::new, |subject| {
            let name = match subject.kind.as_str() {
                "ServiceAccount" if subject.namespace.is_empty() => format!("{}/{}", subject.name, self.namespace),
                "ServiceAccount" => format!("{}/{}", subject.name, subject.namespace),
                _ => subject.name.clone(),
            };
            format!("{} {}", subject.kind, quoted(&name))
        });
        format!("{kind} {} of {} {} to {subject}", quoted(&name), self.role.kind, quoted(&self.role.name))
    }
}

//! What a plugin is told about a request, and what it may say back beside its verdict.

use std::sync::{Arc, Mutex};

use apimachinery::gvk::{GroupVersionKind, GroupVersionResource};
use apimachinery::user::UserInfo;
use apimachinery::{ObjectExt, StatusError};
use serde_json::{Map, Value};

/// What a request is about to do. Patches are updates (or creates, where an apply makes the object).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A new object.
    Create,
    /// A change of an existing object.
    Update,
    /// The removal of an object.
    Delete,
    /// A stream to an object (exec, attach, proxy, portforward).
    Connect,
}

impl Operation {
    /// The word of `AdmissionReview` and of webhook rules: `CREATE`, `UPDATE`, `DELETE`, `CONNECT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

/// The request as plugins see it.
#[derive(Clone, Debug)]
pub struct Attributes {
    /// What is about to happen.
    pub operation: Operation,
    /// The kind of `object` (of the subresource's object for a subresource, e.g. `Scale`).
    pub kind: GroupVersionKind,
    /// The resource addressed, in the version of the request.
    pub resource: GroupVersionResource,
    /// The subresource, empty for none.
    pub subresource: String,
    /// The namespace, empty for cluster-scoped objects.
    pub namespace: String,
    /// The object's name; empty while a generated name is not made yet.
    pub name: String,
    /// The object to be written, in the version of `kind`; `None` for a delete. Mutating plugins change it by
    /// [`Self::object_mut`].
    pub object: Option<Arc<Value>>,
    /// The stored object, in the version of `kind`; `None` for a create.
    pub old_object: Option<Arc<Value>>,
    /// The request's `CreateOptions`, `UpdateOptions`, `PatchOptions` or `DeleteOptions`, with apiVersion and kind.
    pub options: Value,
    /// Nothing will be stored; plugins must not have effects elsewhere.
    pub dry_run: bool,
    /// Who asks.
    pub user: Arc<UserInfo>,
}

impl Attributes {
    /// Whether this is about pods themselves, not a part of them.
    pub fn is_of_pods(&self) -> bool {
        self.resource.group.is_empty() && self.resource.resource == "pods" && self.subresource.is_empty()
    }

    /// The object, to be changed in place; a copy of it where it is lent.
    pub fn object_mut(&mut self) -> Option<&mut Value> {
        self.object.as_mut().map(Arc::make_mut)
    }

    /// The same of the fields of its `spec`.
    pub fn spec_mut(&mut self) -> Option<&mut Map<String, Value>> {
        self.object_mut()?.get_mut("spec")?.as_object_mut()
    }

    /// The 403 with which a plugin refuses. An object that has no name yet is called by its generateName.
    pub fn forbidden(&self, words: &str) -> StatusError {
        let of_object = || {
            let object = self.object.as_ref()?;
            [object.name(), object.generate_name()].into_iter().find(|name| !name.is_empty())
        };
        let name = Some(self.name.as_str()).filter(|name| !name.is_empty()).or_else(of_object).unwrap_or("Unknown");
        StatusError::forbidden(&self.resource.group_resource(), name, words)
    }
}

/// Collects what plugins say beside their verdict; shared by one request's whole chain.
#[derive(Clone, Debug, Default)]
pub struct Context {
    said: Arc<Mutex<Said>>,
}

#[derive(Debug, Default)]
struct Said {
    warnings: Vec<String>,
    annotations: Vec<(String, String)>,
    /// The owners of fields before the object was changed.
    mutated: Option<Vec<Value>>,
}

impl Context {
    /// A context in which nothing has been said.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a warning for the client. A warning already there is not repeated.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        let mut said = self.lock();
        if !said.warnings.contains(&text) {
            said.warnings.push(text);
        }
    }

    /// Adds an audit annotation. The first value of a key stays, as upstream.
    pub fn annotate(&self, key: impl Into<String>, value: impl Into<String>) {
        let key = key.into();
        let mut said = self.lock();
        if said.annotations.iter().all(|(known, _)| *known != key) {
            said.annotations.push((key, value.into()));
        }
    }

    /// Whether there are warnings.
    pub fn has_warnings(&self) -> bool {
        !self.lock().warnings.is_empty()
    }

    /// The warnings so far, in the order in which they were given; the context forgets them.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().warnings)
    }

    /// Notes that a plugin changed the object, which was `before`, in a way that has to be decoded again.
    pub fn note_mutated(&self, before: Option<&Value>) {
        let owners = || before.map(|before| before.managed_fields().to_vec()).unwrap_or_default();
        self.lock().mutated.get_or_insert_with(owners);
    }

    /// The managedFields from before that was noted for the first time; the context forgets it.
    pub fn take_mutated(&self) -> Option<Vec<Value>> {
        std::mem::take(&mut self.lock().mutated)
    }

    /// The audit annotations so far.
    pub fn annotations(&self) -> Vec<(String, String)> {
        self.lock().annotations.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

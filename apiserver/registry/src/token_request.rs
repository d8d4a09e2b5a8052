//! `serviceaccounts/token`: a token of a service account, for certain audiences, a certain time, and as long as what it is
//! bound to is there.

use std::sync::Arc;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::gvk::{GroupKind, GroupResource, GroupVersion, GroupVersionKind, GroupVersionResource};
use apimachinery::quote::quoted;
use apimachinery::status::Reason;
use apimachinery::{ObjectExt, StatusError, time};
use authentication::service_account::{Bound, Issuer, Reference, credential_id};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::conversion::Pending;
use crate::fieldmanager::{self, Writer};
use crate::options::CreateOptions;
use crate::registry::Registry;
use crate::served::{Served, Written};
use crate::subresource::View;
use crate::table::SchemaSource;
use crate::verbs::create::manager;
use crate::{GetOptions, RequestContext, Row, Target, acting, meta};

const GROUP: &str = "authentication.k8s.io";
const KIND: &str = "TokenRequest";
/// What a request that says nothing asks for, in seconds.
const DEFAULT_EXPIRATION: i64 = 60 * 60;
const MIN_EXPIRATION: i64 = 10 * 60;
const MAX_EXPIRATION: i64 = 1 << 32;

/// Answers a request that was decoded.
pub(crate) async fn create(
    registry: &Registry,
    ctx: &RequestContext,
    target: &Target,
    mut request: Value,
    options: &CreateOptions,
) -> Result<Written, StatusError> {
    let issuer = registry.token_issuer().ok_or_else(StatusError::unknown_resource)?;
    let row = &target.row;
    settle(&mut request);
    meta::settle_namespace(&mut request, row, &target.namespace)?;
    own(registry, ctx, target, &mut request, options);
    let chain = registry.admission();
    let mut attributes = acting::attributes(ctx, target, request, options);
    chain.admit(&mut attributes, &ctx.warnings).await?;
    let mut request = attributes.object.take().map(Arc::unwrap_or_clone).unwrap_or_default();

    let group_kind = GroupKind::new(GROUP, KIND);
    let metadata = Path::new("metadata");
    let named = [
        ("name", request.name(), &target.name, "must match the service account name if specified"),
        ("namespace", request.namespace(), &target.namespace, "must match the service account namespace if specified"),
    ];
    for (field, sent, asked, words) in named {
        if !sent.is_empty() && sent != asked {
            let errors = ErrorList::from_iter([Error::invalid(&metadata.child(field), sent, words)]);
            return Err(StatusError::invalid(&group_kind, &target.name, errors));
        }
    }
    let whole = Target { subresource: String::new(), ..target.clone() };
    let account = registry.get(ctx, &whole, &GetOptions::default()).await?.value()?;
    if !request.uid().is_empty() && request.uid() != account.uid() {
        return Err(StatusError::conflict(
            &GroupResource::new(GROUP, KIND),
            &target.name,
            format!(
                "the UID in the token request ({}) does not match the UID of the service account ({})",
                request.uid(),
                account.uid()
            ),
        ));
    }
    if request["spec"]["audiences"].as_array().is_none_or(Vec::is_empty) {
        request["spec"]["audiences"] = json!(issuer.audiences());
    }
    request.set_name(account.name());
    request.set_namespace(account.namespace());
    request.set_uid(account.uid());
    let now = registry.timestamp();
    request.set_creation_timestamp(&time::format_time(now));
    request["status"] = json!({});

    let errors = validate(&request);
    if !errors.is_empty() {
        return Err(StatusError::invalid(&group_kind, "", errors));
    }
    attributes.object = Some(Arc::new(request.clone()));
    chain.validate(&attributes, &ctx.warnings).await?;

    let bound = bound(registry, ctx, target, &request["spec"]["boundObjectRef"]).await?;
    let issued = issue(&issuer, ctx, &account, bound, &mut request, now).await?;
    ctx.warnings.annotate("authentication.kubernetes.io/issued-credential-id", credential_id(&issued));
    Ok(Written { object: Served::from_value(Arc::new(request)), created: true })
}

/// Drops what only the server says, and fills in what was not said.
fn settle(request: &mut Value) {
    let uid = request.uid().to_owned();
    meta::wipe_system_fields(request);
    request.set_uid(&uid);
    if !request["spec"].is_object() {
        request["spec"] = json!({});
    }
    if request["spec"]["expirationSeconds"].is_null() {
        request["spec"]["expirationSeconds"] = DEFAULT_EXPIRATION.into();
    }
}

/// Notes who has set which field.
fn own(registry: &Registry, ctx: &RequestContext, target: &Target, request: &mut Value, options: &CreateOptions) {
    // The request is of a kind of its own, which is in no table.
    let gvk = GroupVersionKind::new(GROUP, "v1", KIND);
    let row = Row {
        gvr: GroupVersionResource::new(GROUP, "v1", "tokenrequests"),
        kind: KIND.to_owned(),
        schema: SchemaSource::BuiltIn(gvk),
        ..Row::clone(&target.row)
    };
    let (view, table, now) = (View::Whole, registry.table(), registry.now());
    let manager = manager(ctx, &options.field_manager);
    let pending = Pending::default();
    let writer = Writer {
        table: &table,
        row: &row,
        subresource: &target.subresource,
        view: &view,
        manager: &manager,
        now: &now,
        pending: &pending,
    };
    fieldmanager::update(&writer, None, request);
}

fn validate(request: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("spec");
    let seconds = request["spec"]["expirationSeconds"].as_i64().unwrap_or(0);
    if seconds < MIN_EXPIRATION {
        let words = "may not specify a duration less than 10 minutes";
        errors.push(Error::invalid(&path.child("expirationSeconds"), seconds, words));
    }
    if seconds > MAX_EXPIRATION {
        let words = "may not specify a duration larger than 2^32 seconds";
        errors.push(Error::invalid(&path.child("expirationSeconds"), seconds, words));
    }
    errors
}

/// The objects that a token is to be bound to.
async fn bound(
    registry: &Registry,
    ctx: &RequestContext,
    target: &Target,
    reference: &Value,
) -> Result<Bound, StatusError> {
    if !reference.is_object() {
        return Ok(Bound::default());
    }
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    let (api_version, kind, name) = (text("apiVersion"), text("kind"), text("name"));
    // A version that cannot be read counts as none.
    let of = api_version.parse::<GroupVersion>().unwrap_or_else(|_| GroupVersion::new("", ""));
    let read = async |resource: &str, namespace: &str| {
        let table = registry.table();
        let row = table.row("", "v1", resource).cloned().ok_or_else(StatusError::unknown_resource)?;
        registry.get(ctx, &Target::new(row, namespace, name), &GetOptions::default()).await?.value()
    };
    let named = |object: &Value| Reference { name: object.name().to_owned(), uid: object.uid().to_owned() };
    let mut bound = Bound::default();
    let uid = match (of.group.as_str(), kind) {
        ("", "Pod") => {
            let pod = read("pods", &target.namespace).await?;
            let account = pod.pointer("/spec/serviceAccountName").and_then(Value::as_str).unwrap_or_default();
            if account != target.name {
                return Err(StatusError::bad_request(format!(
                    "cannot bind token for serviceaccount {} to pod running with different serviceaccount name.",
                    quoted(&target.name)
                )));
            }
            if let Some(node) = pod.pointer("/spec/nodeName").and_then(Value::as_str).filter(|node| !node.is_empty()) {
                bound.node = Some(node_of(registry, ctx, node).await?);
            }
            bound.pod.insert(named(&pod)).uid.clone()
        }
        ("", "Node") => bound.node.insert(named(&*read("nodes", "").await?)).uid.clone(),
        ("", "Secret") => bound.secret.insert(named(&*read("secrets", &target.namespace).await?)).uid.clone(),
        (group, kind) => {
            let version = &of.version;
            let words = format!("cannot bind token to object of type {group}/{version}, Kind={kind}");
            return Err(StatusError::bad_request(words));
        }
    };
    let asked = text("uid");
    if !asked.is_empty() && asked != uid {
        let words = format!(
            "the UID in the bound object reference ({asked}) does not match the UID in record. The object might have been \
             deleted and then recreated"
        );
        return Err(StatusError::conflict(&GroupResource::new(&of.group, kind), name, words));
    }
    Ok(bound)
}

/// The node of a pod; of one that is not there the name alone.
async fn node_of(registry: &Registry, ctx: &RequestContext, name: &str) -> Result<Reference, StatusError> {
    let row = registry.table().row("", "v1", "nodes").cloned().ok_or_else(StatusError::unknown_resource)?;
    let target = Target::new(row, "", name);
    let uid = match registry.get(ctx, &target, &GetOptions::default()).await {
        Ok(node) => node.value()?.uid().to_owned(),
        Err(error) if *error.reason() == Reason::NotFound => String::new(),
        Err(error) => return Err(StatusError::internal(error.message().to_owned())),
    };
    Ok(Reference { name: name.to_owned(), uid })
}

/// Makes the token and puts it into the request; answers its id.
async fn issue(
    issuer: &Issuer,
    ctx: &RequestContext,
    account: &Value,
    bound: Bound,
    request: &mut Value,
    now: Timestamp,
) -> Result<String, StatusError> {
    let spec = &mut request["spec"];
    let mut seconds = spec["expirationSeconds"].as_i64().unwrap_or(DEFAULT_EXPIRATION);
    if let Some(most) = issuer.shortened(seconds) {
        ctx.warnings.warn(format!("requested expiration of {seconds} seconds shortened to {most} seconds"));
        seconds = most;
        spec["expirationSeconds"] = most.into();
    }
    let audiences = spec["audiences"].as_array().into_iter().flatten();
    let audiences = audiences.map(|audience| audience.as_str().unwrap_or_default().to_owned()).collect();
    let issued = issuer.issue(account, bound, seconds, audiences, now).await;
    let issued = issued.map_err(|error| StatusError::internal(format!("failed to generate token: {error}")))?;
    let expires = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    request["status"] = json!({"token": issued.token, "expirationTimestamp": time::format_time(expires)});
    Ok(issued.id)
}

//! What is checked of a token that `TokenRequest` made: its times, and that what it names is still there.

use admission::Context;
use apimachinery::ObjectExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::objects::{Objects, is_deleted_before};
use super::{Account, Claims, Reference};

/// How far clocks may differ.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);

/// The account of a token whose signature, issuer and audience are good.
pub(super) async fn validate(
    objects: &Objects,
    claims: &Claims,
    now: Timestamp,
    context: &Context,
) -> Result<Account, String> {
    check_times(claims, now)?;
    let deleted_before = now - LEEWAY;
    let said = claims.kubernetes.clone().unwrap_or_default();
    let (namespace, account) = (said.namespace.as_str(), &said.account);
    let found = objects.get("serviceaccounts", namespace, &account.name, |found| found.uid() == account.uid).await;
    let found = found.map_err(|error| error.message().to_owned())?;
    if found.uid() != account.uid {
        return Err(format!("service account UID ({}) does not match claim ({})", found.uid(), account.uid));
    }
    if is_deleted_before(&found, deleted_before) {
        return Err(format!("service account {namespace}/{} has been deleted", account.name));
    }
    if let Some(secret) = &said.secret {
        still_there(objects, "secrets", "secret", namespace, secret, deleted_before).await?;
    }
    if let Some(pod) = &said.pod {
        still_there(objects, "pods", "pod", namespace, pod, deleted_before).await?;
    } else if let Some(node) = &said.node {
        still_there(objects, "nodes", "node", "", node, deleted_before).await?;
    }
    if let Some(after) = said.warn_after.filter(|after| *after != 0 && now.as_second() > *after) {
        let late = now.as_second() - after;
        let words = format!("subject: {}, seconds after warning threshold: {late}", claims.subject);
        context.annotate("authentication.k8s.io/stale-token", words);
    }
    Ok(Account {
        namespace: said.namespace,
        account: said.account,
        pod: said.pod,
        node: said.node,
        id: claims.id.clone(),
    })
}

fn check_times(claims: &Claims, now: Timestamp) -> Result<(), String> {
    let (earliest, latest) = (now - LEEWAY, now + LEEWAY);
    // A time that no clock shows is beyond all that do.
    let is_after = |time: Timestamp, seconds: i64| match Timestamp::from_second(seconds) {
        Ok(told) => time > told,
        Err(_) => seconds < 0,
    };
    let is_before = |time: Timestamp, seconds: i64| match Timestamp::from_second(seconds) {
        Ok(told) => time < told,
        Err(_) => seconds > 0,
    };
    if claims.not_before.is_some_and(|from| is_before(latest, from)) {
        return Err("service account token is not valid yet".to_owned());
    }
    if claims.expiry.is_some_and(|until| is_after(earliest, until)) {
        return Err("service account token has expired".to_owned());
    }
    if claims.issued_at.is_some_and(|at| is_before(latest, at)) {
        return Err("service account token is issued in the future".to_owned());
    }
    Ok(())
}

/// Checks that the object a token is bound to is there, the same one, and not long deleted.
async fn still_there(
    objects: &Objects,
    resource: &str,
    word: &str,
    namespace: &str,
    bound: &Reference,
    deleted_before: Timestamp,
) -> Result<(), String> {
    let gone = || "service account token has been invalidated".to_owned();
    let is_it = |found: &Value| found.uid() == bound.uid;
    let found = objects.get(resource, namespace, &bound.name, is_it).await.map_err(|_| gone())?;
    if found.uid() != bound.uid {
        return Err(format!(
            "{word} UID ({}) does not match service account {word} ref claim ({})",
            found.uid(),
            bound.uid
        ));
    }
    if is_deleted_before(&found, deleted_before) { Err(gone()) } else { Ok(()) }
}

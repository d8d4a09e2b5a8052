//! What becomes of an object, from what is known of its owners. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::PropagationPolicy;

use super::graph::{FOREGROUND, ORPHAN};

/// What is known of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It is there.
    Solid,
    /// It is certainly not there.
    Absent,
    /// It is there, and waits for its dependents to go.
    WaitsForDependents,
}

/// What becomes of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It stays, without the owners that are absent or on their way out.
    KeepWith(Vec<OwnerReference>),
    /// It goes.
    Delete(PropagationPolicy),
}

/// What becomes of an object with these owners, by upstream's rules. `blocks_deletion` says whether one of its own
/// dependents is in foreground deletion itself.
pub fn verdict(meta: &ObjectMeta, owners: &[(OwnerReference, Owner)], has_dependents: bool) -> Verdict {
    if owners.is_empty() {
        return Verdict::Keep;
    }
    let of = |state: Owner| owners.iter().filter(move |(_, found)| *found == state).map(|(owner, _)| owner.clone());
    if of(Owner::Solid).next().is_some() {
        let solid: Vec<OwnerReference> = of(Owner::Solid).collect();
        return if solid.len() == owners.len() { Verdict::Keep } else { Verdict::KeepWith(solid) };
    }
    let has = |finalizer: &str| meta.finalizers.iter().flatten().any(|found| found == finalizer);
    if of(Owner::WaitsForDependents).next().is_some() && has_dependents {
        // The owner waits for this object, which is to wait for its own.
        return Verdict::Delete(PropagationPolicy::Foreground);
    }
    Verdict::Delete(if has(ORPHAN) {
        PropagationPolicy::Orphan
    } else if has(FOREGROUND) {
        PropagationPolicy::Foreground
    } else {
        PropagationPolicy::Background
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_goes_when_no_owner_is_left_and_not_before() {
        use Owner::{Absent, Solid, WaitsForDependents as Waits};
        use PropagationPolicy::{Background, Foreground, Orphan};
        for (name, owners, finalizers, has_dependents, expected) in [
            ("no owners", &[][..], &[][..], false, "keep".to_owned()),
            ("one is there", &[Solid], &[], false, "keep".to_owned()),
            ("one of two is gone", &[Solid, Absent], &[], false, "keep with 1".to_owned()),
            ("one of two waits", &[Waits, Solid], &[], true, "keep with 1".to_owned()),
            ("all are gone", &[Absent, Absent], &[], true, format!("{Background:?}")),
            ("all are gone, finalizers say how", &[Absent], &[FOREGROUND], false, format!("{Foreground:?}")),
            ("all are gone, it orphans", &[Absent], &[ORPHAN], false, format!("{Orphan:?}")),
            ("the owner waits", &[Waits], &[], false, format!("{Background:?}")),
            ("the owner waits, and so will it", &[Waits, Absent], &[], true, format!("{Foreground:?}")),
        ] {
            let owners: Vec<_> = owners.iter().map(|state| (OwnerReference::default(), *state)).collect();
            let meta = ObjectMeta {
                finalizers: Some(finalizers.iter().map(|&name| name.into()).collect()),
                ..ObjectMeta::default()
            };
            let told = match verdict(&meta, &owners, has_dependents) {
                Verdict::Keep => "keep".to_owned(),
                Verdict::KeepWith(owners) => format!("keep with {}", owners.len()),
                Verdict::Delete(policy) => format!("{policy:?}"),
            };
            assert_eq!(told, expected, "{name}");
        }
    }
}

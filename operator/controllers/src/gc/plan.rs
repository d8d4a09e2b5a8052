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

/// What is known of an object's own dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependents {
    /// It has none.
    None,
    /// It has some.
    Some,
    /// It has some, and one of them waits for its own dependents to go.
    SomeWait,
}

/// What becomes of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It stays, without the owners that are absent or on their way out.
    KeepWith(Vec<OwnerReference>),
    /// It is part of a circle of owners in foreground deletion: it holds up nobody any more, and goes afterwards.
    Unblock(Vec<OwnerReference>),
    /// It goes.
    Delete(PropagationPolicy),
}

/// What becomes of an object with these owners, by upstream's rules.
pub fn verdict(meta: &ObjectMeta, owners: &[(OwnerReference, Owner)], dependents: Dependents) -> Verdict {
    if owners.is_empty() {
        return Verdict::Keep;
    }
    let of = |state: Owner| owners.iter().filter(move |(_, found)| *found == state).map(|(owner, _)| owner.clone());
    if of(Owner::Solid).next().is_some() {
        let solid: Vec<OwnerReference> = of(Owner::Solid).collect();
        return if solid.len() == owners.len() { Verdict::Keep } else { Verdict::KeepWith(solid) };
    }
    let has = |finalizer: &str| meta.finalizers.iter().flatten().any(|found| found == finalizer);
    if of(Owner::WaitsForDependents).next().is_some() && dependents != Dependents::None {
        // A dependent that waits itself may wait, through others, for this object: one of them has to let go.
        if dependents == Dependents::SomeWait && owners.iter().any(|(owner, _)| blocks(owner)) {
            let unblocked = |(owner, _): &(OwnerReference, Owner)| OwnerReference {
                block_owner_deletion: owner.block_owner_deletion.map(|_| false),
                ..owner.clone()
            };
            return Verdict::Unblock(owners.iter().map(unblocked).collect());
        }
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

fn blocks(owner: &OwnerReference) -> bool {
    owner.block_owner_deletion == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_goes_when_no_owner_is_left_and_not_before() {
        use Owner::{Absent, Solid, WaitsForDependents as Waits};
        use PropagationPolicy::{Background, Foreground, Orphan};
        for (name, owners, finalizers, dependents, expected) in [
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
            let told = match verdict(&meta, &owners, if dependents { Dependents::Some } else { Dependents::None }) {
                Verdict::Keep => "keep".to_owned(),
                Verdict::KeepWith(owners) => format!("keep with {}", owners.len()),
                Verdict::Unblock(owners) => format!("unblock {}", owners.len()),
                Verdict::Delete(policy) => format!("{policy:?}"),
            };
            assert_eq!(told, expected, "{name}");
        }
    }

    #[test]
    fn a_circle_of_owners_in_foreground_deletion_is_opened() {
        let owner = |blocks| OwnerReference { block_owner_deletion: Some(blocks), ..OwnerReference::default() };
        let told = |blocks| {
            let owners = [(owner(blocks), Owner::WaitsForDependents)];
            verdict(&ObjectMeta::default(), &owners, Dependents::SomeWait)
        };
        assert_eq!(told(true), Verdict::Unblock(vec![owner(false)]));
        assert_eq!(told(false), Verdict::Delete(PropagationPolicy::Foreground));
    }
}

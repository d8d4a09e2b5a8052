//! What a candidate knows of the Lease, and what it may do about it. Pure; times are passed in.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

/// The Lease as last seen, and when it was first seen so. How long others have held it is measured by the own clock
/// from that moment, never by the times they wrote: clocks differ.
#[derive(Clone, Debug)]
pub struct Observed {
    lease: Lease,
    since: Instant,
}

/// What a candidate may do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Create the Lease.
    Create(Box<Lease>),
    /// Replace the Lease, at the resourceVersion that was seen.
    Replace(Box<Lease>),
    /// Another copy holds it; look again at this time at the latest.
    Wait(Instant),
}

impl Observed {
    /// Takes in what was read. The time starts anew only when the record in it changed.
    pub fn update(previous: Option<Self>, lease: Lease, now: Instant) -> Self {
        match previous {
            Some(previous) if previous.lease.spec == lease.spec => Self { lease, since: previous.since },
            _ => Self { lease, since: now },
        }
    }

    fn spec(&self) -> Option<&LeaseSpec> {
        self.lease.spec.as_ref()
    }

    /// Who holds the Lease; none after a release.
    pub fn holder(&self) -> Option<&str> {
        self.spec()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
    }

    /// When the Lease may be taken from its holder.
    fn expires(&self) -> Instant {
        let seconds = self.spec().and_then(|spec| spec.lease_duration_seconds).unwrap_or(0);
        self.since + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }
}

/// The claim of one candidate.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Who claims it.
    pub identity: String,
    /// How long others shall wait after a renewal.
    pub lease_duration: Duration,
}

impl Candidate {
    /// What to do, having seen `observed` (none: there is no Lease).
    pub fn step(&self, observed: Option<&Observed>, now: Instant, clock: Timestamp) -> Step {
        let Some(observed) = observed else {
            let metadata = ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            };
            return Step::Create(Box::new(Lease { metadata, spec: Some(self.claim(None, clock)) }));
        };
        if observed.holder().is_some_and(|holder| holder != self.identity) && observed.expires() > now {
            return Step::Wait(observed.expires());
        }
        let mut lease = observed.lease.clone();
        lease.spec = Some(self.claim(observed.spec(), clock));
        Step::Replace(Box::new(lease))
    }

    fn claim(&self, before: Option<&LeaseSpec>, clock: Timestamp) -> LeaseSpec {
        let held = before.is_some_and(|spec| spec.holder_identity.as_deref() == Some(&self.identity));
        let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(self.lease_duration.as_secs()).unwrap_or(i32::MAX).max(1)),
            acquire_time: before.filter(|_| held).and_then(|spec| spec.acquire_time.clone()).or(Some(MicroTime(clock))),
            renew_time: Some(MicroTime(clock)),
            lease_transitions: Some(if held || before.is_none() { transitions } else { transitions + 1 }),
            ..before.cloned().unwrap_or_default()
        }
    }

    /// The Lease given up: without a holder, free at once. None when someone else holds it.
    pub fn release(&self, observed: &Observed, clock: Timestamp) -> Option<Lease> {
        if observed.holder() != Some(&self.identity) {
            return None;
        }
        let mut lease = observed.lease.clone();
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            acquire_time: Some(MicroTime(clock)),
            renew_time: Some(MicroTime(clock)),
            ..lease.spec.unwrap_or_default()
        });
        Some(lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(identity: &str) -> Candidate {
        Candidate {
            namespace: "kube-system".into(),
            name: "scheduler".into(),
            identity: identity.into(),
            lease_duration: Duration::from_secs(15),
        }
    }

    fn created(by: &str) -> Lease {
        let Step::Create(lease) = candidate(by).step(None, Instant::now(), Timestamp::UNIX_EPOCH) else {
            panic!("a missing Lease is created")
        };
        *lease
    }

    fn replaced(step: Step) -> LeaseSpec {
        let Step::Replace(lease) = step else { panic!("expected a claim, not {step:?}") };
        lease.spec.unwrap()
    }

    #[test]
    fn a_held_lease_is_left_alone_until_its_duration_has_passed_on_the_own_clock() {
        let start = Instant::now();
        let observed = Observed::update(None, created("a"), start);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(
            candidate("b").step(Some(&observed), at(14), Timestamp::UNIX_EPOCH),
            Step::Wait(at(15)),
            "the renewTime in the record is decades old, and must not count"
        );
        let spec = replaced(candidate("b").step(Some(&observed), at(15), Timestamp::UNIX_EPOCH));
        assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("b"), Some(1)));
    }

    #[test]
    fn a_renewal_restarts_the_wait_and_an_unchanged_record_does_not() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let first = Observed::update(None, created("a"), start);
        let mut touched = first.lease.clone();
        touched.metadata.labels = Some([("x".to_owned(), "y".to_owned())].into());
        let same = Observed::update(Some(first.clone()), touched, at(10));
        assert_eq!(same.expires(), at(15));
        let mut renewed = first.lease.clone();
        renewed.spec.as_mut().unwrap().renew_time = Some(MicroTime(Timestamp::from_second(10).unwrap()));
        assert_eq!(Observed::update(Some(first), renewed, at(10)).expires(), at(25));
    }

    #[test]
    fn the_holder_renews_without_a_transition() {
        let observed = Observed::update(None, created("a"), Instant::now());
        let later = Timestamp::from_second(2).unwrap();
        let spec = replaced(candidate("a").step(Some(&observed), Instant::now(), later));
        assert_eq!(spec.acquire_time, Some(MicroTime(Timestamp::UNIX_EPOCH)));
        assert_eq!((spec.renew_time, spec.lease_transitions), (Some(MicroTime(later)), Some(0)));
    }

    #[test]
    fn a_released_lease_is_free_at_once_and_only_its_holder_releases_it() {
        let observed = Observed::update(None, created("a"), Instant::now());
        assert!(candidate("b").release(&observed, Timestamp::UNIX_EPOCH).is_none());
        let released = candidate("a").release(&observed, Timestamp::UNIX_EPOCH).unwrap();
        let observed = Observed::update(Some(observed), released, Instant::now());
        let spec = replaced(candidate("b").step(Some(&observed), Instant::now(), Timestamp::UNIX_EPOCH));
        assert_eq!(spec.holder_identity.as_deref(), Some("b"));
    }
}

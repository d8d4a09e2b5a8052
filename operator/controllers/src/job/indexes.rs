//! Sets of completion indexes, as a Job's status writes them: `1,3-5,7`.

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::core::v1::Pod;

/// The annotation, and label, of a Pod's completion index.
pub const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The completion index of a Pod; nothing when it has none or one that is not below `completions`.
pub fn of_pod(pod: &Pod, completions: i32) -> Option<i32> {
    let index: i32 = pod.metadata.annotations.as_ref()?.get(INDEX)?.parse().ok()?;
    (0..completions).contains(&index).then_some(index)
}

/// Indexes as intervals, both ends included, in order and apart from each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indexes(Vec<(i32, i32)>);

impl Indexes {
    /// Reads the form of a status; indexes from `completions` on are left out, as is what cannot be read.
    pub fn parse(text: &str, completions: i32) -> Self {
        let mut intervals: Vec<(i32, i32)> = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Ok(first), Ok(last)) = (first.parse::<i32>(), last.parse::<i32>()) else { continue };
            let last = last.min(completions - 1);
            match intervals.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ if first <= last => intervals.push((first, last)),
                _ => (),
            }
        }
        Self(intervals)
    }

    /// These and others.
    pub fn with(&self, others: &BTreeSet<i32>) -> Self {
        let mut all: Vec<(i32, i32)> =
            self.0.iter().copied().chain(others.iter().map(|index| (*index, *index))).collect();
        all.sort_unstable();
        let mut merged: Vec<(i32, i32)> = Vec::with_capacity(all.len());
        for (first, last) in all {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    /// Whether an index is among them.
    pub fn has(&self, index: i32) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < index);
        self.0.get(at).is_some_and(|(first, _)| *first <= index)
    }

    /// How many there are.
    pub fn total(&self) -> i32 {
        self.0.iter().map(|(first, last)| last - first + 1).fold(0, i32::saturating_add)
    }

    /// How many of these are among others.
    pub fn shared(&self, others: &Self) -> i32 {
        let overlap = |a: &(i32, i32), b: &(i32, i32)| (a.1.min(b.1) - a.0.max(b.0) + 1).max(0);
        let counts = self.0.iter().flat_map(|a| others.0.iter().map(move |b| overlap(a, b)));
        counts.fold(0, i32::saturating_add)
    }
}

impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            match last - first {
                0 => write!(f, "{first}")?,
                1 => write!(f, "{first},{last}")?,
                _ => write!(f, "{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_written_as_intervals() {
        for (text, completions, added, expected, total) in [
            ("", 10, &[][..], "", 0),
            ("", 10, &[3, 1], "1,3", 2),
            ("1,3-5,7", 10, &[6], "1,3-7", 6),
            ("1,3-5,7", 10, &[2, 9], "1-5,7,9", 7),
            ("0,1", 10, &[], "0,1", 2),
            ("1,3-5,7", 5, &[], "1,3,4", 3),
            ("7", 5, &[], "", 0),
            ("1,x,4", 9, &[5], "1,4,5", 3),
        ] {
            let indexes = Indexes::parse(text, completions).with(&added.iter().copied().collect());
            assert_eq!((indexes.to_string().as_str(), indexes.total()), (expected, total), "{text} {added:?}");
            for index in 0..completions {
                let listed = Indexes::parse(expected, completions);
                assert_eq!(indexes.has(index), listed.has(index));
            }
        }
        let (a, b) = (Indexes::parse("1,3-5,7", 10), Indexes::parse("2-4,7-9", 10));
        assert_eq!((a.shared(&b), a.has(4), a.has(6)), (3, true, false));
    }
}

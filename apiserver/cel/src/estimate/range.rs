//! A least and a most, of sizes and of costs. Sums and products stop at the largest number.

/// From `min` to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) min: u64,
    pub(super) max: u64,
}

impl Range {
    pub(super) const ZERO: Self = Self::fixed(0);
    /// Anything.
    pub(super) const UNKNOWN: Self = Self { min: 0, max: u64::MAX };
    /// What every union replaces.
    pub(super) const NOTHING: Self = Self { min: u64::MAX, max: 0 };

    pub(super) const fn fixed(value: u64) -> Self {
        Self { min: value, max: value }
    }

    pub(super) fn add(self, other: Self) -> Self {
        Self { min: self.min.saturating_add(other.min), max: self.max.saturating_add(other.max) }
    }

    pub(super) fn times(self, other: Self) -> Self {
        Self { min: self.min.saturating_mul(other.min), max: self.max.saturating_mul(other.max) }
    }

    /// Each end times `factor`, rounded up.
    pub(super) fn scaled(self, factor: f64) -> Self {
        // A float that is too large becomes the largest number.
        let scale = |end: u64| (end as f64 * factor).ceil() as u64;
        Self { min: scale(self.min), max: scale(self.max) }
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}

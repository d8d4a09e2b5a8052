//! Exact decimal numbers: an integer of any size times a power of ten.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

/// Powers of ten further apart than this are not brought together: the smaller operand of a sum is dropped. No
/// resource comes near it, and the digits would be as many as the client says.
const MAX_ALIGNMENT: u32 = 4096;

/// `mantissa * 10^exponent`. Zero has exponent 0; otherwise the mantissa does not end in a zero digit.
#[derive(Clone, Debug)]
pub(super) struct Decimal {
    mantissa: BigInt,
    exponent: i32,
}

impl Decimal {
    pub(super) fn new(mantissa: impl Into<BigInt>, exponent: i32) -> Self {
        Self { mantissa: mantissa.into(), exponent }.normalized()
    }

    fn normalized(mut self) -> Self {
        if self.sign() == 0 {
            self.exponent = 0;
            return self;
        }
        // Almost every mantissa fits a machine word.
        if let Ok(mut small) = i64::try_from(&self.mantissa) {
            let given = small;
            while small % 10 == 0 {
                small /= 10;
                self.exponent = self.exponent.saturating_add(1);
            }
            if small != given {
                self.mantissa = small.into();
            }
            return self;
        }
        let digits = self.mantissa.magnitude().to_string();
        let kept = digits.trim_end_matches('0');
        let zeros = digits.len() - kept.len();
        if zeros > 0 {
            self.mantissa /= power_of_ten(u32::try_from(zeros).unwrap_or(u32::MAX));
            self.exponent = self.exponent.saturating_add(i32::try_from(zeros).unwrap_or(i32::MAX));
        }
        self
    }

    /// This, or with a larger exponent the number of the same digits at `limit`.
    pub(super) fn with_exponent_at_most(self, limit: i32) -> Self {
        Self { exponent: self.exponent.min(limit), ..self }
    }

    pub(super) fn sign(&self) -> i32 {
        match self.mantissa.sign() {
            Sign::Minus => -1,
            Sign::NoSign => 0,
            Sign::Plus => 1,
        }
    }

    pub(super) fn negated(&self) -> Self {
        Self { mantissa: -&self.mantissa, exponent: self.exponent }
    }

    /// How many digits stand before the decimal point (negative: how many zeros after it before the first digit).
    fn magnitude(&self) -> i64 {
        digit_count(&self.mantissa) + i64::from(self.exponent)
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        let (large, small) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        if large.sign() == 0 || small.sign() == 0 {
            return if self.sign() == 0 { other.clone() } else { self.clone() };
        }
        let apart = large.exponent.abs_diff(small.exponent);
        if apart > MAX_ALIGNMENT {
            return if self.magnitude() >= other.magnitude() { self.clone() } else { other.clone() };
        }
        Self { mantissa: &large.mantissa * power_of_ten(apart) + &small.mantissa, exponent: small.exponent }
            .normalized()
    }

    /// Whether this is at most `exponent` digits after the point, and if not, the next such number away from zero.
    pub(super) fn rounded_up(&self, exponent: i32) -> (Self, bool) {
        if self.exponent >= exponent || self.sign() == 0 {
            return (self.clone(), true);
        }
        let apart = exponent.abs_diff(self.exponent);
        let one = BigInt::from(self.sign());
        // With fewer digits than are cut, nothing is left but the rounding.
        if i64::from(apart) > digit_count(&self.mantissa) {
            return (Self { mantissa: one, exponent }, false);
        }
        // No digit of the mantissa is a trailing zero, so something is always cut.
        (Self { mantissa: &self.mantissa / power_of_ten(apart) + one, exponent }.normalized(), false)
    }

    /// This in units of `10^exponent`, rounded away from zero, saturating.
    pub(super) fn rounded_to(&self, exponent: i32) -> i64 {
        let (rounded, _) = self.rounded_up(exponent);
        let saturated = if self.sign() < 0 { i64::MIN } else { i64::MAX };
        let apart = rounded.exponent.saturating_sub(exponent);
        match (i64::try_from(&rounded.mantissa), u32::try_from(apart).ok().and_then(|apart| 10i64.checked_pow(apart))) {
            (Ok(0), _) => 0,
            (Ok(mantissa), Some(factor)) => mantissa.checked_mul(factor).unwrap_or(saturated),
            _ => saturated,
        }
    }

    pub(super) fn to_i64(&self) -> Option<i64> {
        let factor = 10i64.checked_pow(u32::try_from(self.exponent).ok()?)?;
        i64::try_from(&self.mantissa).ok()?.checked_mul(factor)
    }

    pub(super) fn to_f64(&self) -> f64 {
        format!("{}e{}", self.mantissa, self.exponent).parse().unwrap_or(f64::INFINITY)
    }

    /// The mantissa and exponent where the exponent is the largest multiple of 3.
    pub(super) fn in_powers_of_1000(&self) -> (BigInt, i32) {
        let more = self.exponent.rem_euclid(3);
        (&self.mantissa * power_of_ten(more.unsigned_abs()), self.exponent.saturating_sub(more))
    }

    /// The mantissa and the number of factors 1024 taken out of it, for a whole number of 1024 or more.
    pub(super) fn in_powers_of_1024(&self) -> Option<(BigInt, usize)> {
        // As `in_powers_of_1000` for what no suffix could show.
        let exponent = u32::try_from(self.exponent).ok().filter(|exponent| *exponent <= MAX_ALIGNMENT)?;
        let mut whole = &self.mantissa * power_of_ten(exponent);
        if whole.magnitude() < BigInt::from(1024).magnitude() {
            return None;
        }
        let mut times = 0;
        while times < 6 && (&whole % 1024u32).sign() == Sign::NoSign {
            whole /= 1024u32;
            times += 1;
        }
        Some((whole, times))
    }
}

fn power_of_ten(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

fn digit_count(number: &BigInt) -> i64 {
    let digits = match i64::try_from(number) {
        Ok(small) => small.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1) as usize,
        Err(_) => number.magnitude().to_string().len(),
    };
    i64::try_from(digits).unwrap_or(i64::MAX)
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_sign = self.sign().cmp(&other.sign());
        if by_sign != Ordering::Equal || self.sign() == 0 {
            return by_sign;
        }
        let by_magnitude = self.magnitude().cmp(&other.magnitude());
        if by_magnitude != Ordering::Equal {
            return if self.sign() < 0 { by_magnitude.reverse() } else { by_magnitude };
        }
        // The same number of digits before the point: the exponents differ by no more than the digits there are.
        let apart = self.exponent.abs_diff(other.exponent);
        match self.exponent.cmp(&other.exponent) {
            Ordering::Equal => self.mantissa.cmp(&other.mantissa),
            Ordering::Greater => (&self.mantissa * power_of_ten(apart)).cmp(&other.mantissa),
            Ordering::Less => self.mantissa.cmp(&(&other.mantissa * power_of_ten(apart))),
        }
    }
}

//! The text of a quantity: sign, digits, fraction, suffix.

use std::borrow::Cow;
use std::str::FromStr;

use num_bigint::BigInt;

use super::decimal::Decimal;
use super::{Format, Quantity};

/// Why a text is no quantity, in upstream's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text is not made like a quantity.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The digits are no number.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// The suffix is none.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// The smallest unit; anything smaller is rounded up to it.
const NANO: i32 = -9;
/// The largest exponent. Upstream keeps the low half of one that does not fit; here it ends at this limit, a multiple of 3
/// so that what is shown of the largest quantity is read as the same.
const MAX_EXPONENT: i32 = i32::MAX / 2;
/// With at most so many digits upstream calculates in machine words, and may keep the text as it was given.
const MAX_FAST_DIGITS: usize = 18;
const DECIMAL_SUFFIXES: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY_SUFFIXES: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

/// The suffix that stands for that power of ten.
pub(super) fn decimal_suffix(exponent: i32) -> Option<&'static str> {
    DECIMAL_SUFFIXES.iter().find(|(_, of)| *of == exponent).map(|(suffix, _)| *suffix)
}

/// What a suffix multiplies by.
enum Scale {
    /// A power of ten.
    Ten(i32, Format),
    /// A power of two.
    Two(u32),
}

impl Scale {
    fn from_suffix(suffix: &str) -> Option<Self> {
        if let Some((_, exponent)) = DECIMAL_SUFFIXES.iter().find(|(of, _)| *of == suffix) {
            return Some(Self::Ten(*exponent, Format::DecimalSi));
        }
        if let Some((_, exponent)) = BINARY_SUFFIXES.iter().find(|(of, _)| *of == suffix) {
            return Some(Self::Two(*exponent));
        }
        let exponent = suffix.strip_prefix(['e', 'E'])?.parse::<i64>().ok()?;
        let exponent = exponent.clamp(-i64::from(MAX_EXPONENT), i64::from(MAX_EXPONENT));
        i32::try_from(exponent).ok().map(|exponent| Self::Ten(exponent, Format::DecimalExponent))
    }
}

/// The parts of a quantity's text. Leading zeros are not among the whole digits.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
}

fn digits_at_start(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

impl<'a> Parts<'a> {
    /// Splits a text. Upstream's scanner asks for less than its words: a sign or a point alone is 0.
    fn split(text: &'a str) -> Result<Self, ParseError> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, rest) = digits_at_start(unsigned.trim_start_matches('0'));
        let (fraction, suffix) = rest.strip_prefix('.').map_or(("", rest), digits_at_start);
        let after_letters = suffix.trim_start_matches(['e', 'E', 'i', 'n', 'u', 'm', 'k', 'K', 'M', 'G', 'T', 'P']);
        let exponent = after_letters.strip_prefix(['-', '+']).unwrap_or(after_letters);
        if !exponent.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseError::Format);
        }
        Ok(Self { negative: text.starts_with('-'), whole, fraction, suffix })
    }

    /// The amount of what is whole or of thousandths and fits a machine word, as nearly everything does: nothing of it is rounded or
    /// limited.
    fn small(&self, digits: &str, scale: &Scale) -> Option<(Decimal, Format)> {
        if !self.fraction.is_empty() {
            return None;
        }
        let value = digits.parse::<i64>().ok()?;
        let value = if self.negative { -value } else { value };
        match *scale {
            Scale::Ten(exponent @ -3..=18, format) => Some((Decimal::new(value, exponent), format)),
            Scale::Ten(..) => None,
            Scale::Two(exponent) => {
                let value = value.checked_mul(1 << exponent).filter(|value| *value > i64::MIN)?;
                Some((Decimal::new(value, 0), Format::BinarySi))
            }
        }
    }

    /// Whether upstream shows the text it was given rather than the canonical form.
    fn keeps_source(&self, digits: &str, scale: &Scale) -> bool {
        // A number without whole digits counts as having a zero there.
        let count = self.whole.len().max(1) + self.fraction.len();
        let Ok(value) = digits.parse::<i64>() else { return false };
        match *scale {
            Scale::Ten(exponent, _) => {
                let Some(places) = i32::try_from(self.fraction.len()).ok() else { return false };
                let exponent = exponent.saturating_sub(places);
                count <= MAX_FAST_DIGITS
                    && exponent >= NANO
                    && exponent % 3 == 0
                    && !digits.ends_with("000")
                    && !self.whole.is_empty()
            }
            Scale::Two(exponent) => {
                // About as many decimal digits as the power of two has.
                let taken = self.whole.len().max(1) + (exponent * 3 / 10) as usize + 1;
                self.fraction.is_empty() && taken <= 15 && value & 7 != 0 && value.checked_mul(1 << exponent).is_some()
            }
        }
    }
}

impl FromStr for Quantity {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.is_empty() {
            return Err(ParseError::Format);
        }
        let parts = Parts::split(text)?;
        let scale = Scale::from_suffix(parts.suffix).ok_or(ParseError::Suffix)?;
        let digits = match (parts.whole, parts.fraction) {
            ("", "") => Cow::Borrowed("0"),
            (whole, "") => Cow::Borrowed(whole),
            (whole, fraction) => Cow::Owned([whole, fraction].concat()),
        };
        let source = parts.keeps_source(&digits, &scale).then(|| text.into());
        if let Some((amount, format)) = parts.small(&digits, &scale) {
            return Ok(Self { amount, format, source });
        }
        let mut mantissa: BigInt = digits.parse().map_err(|_| ParseError::Numeric)?;
        let places = i32::try_from(parts.fraction.len()).map_err(|_| ParseError::Numeric)?;
        if parts.negative {
            mantissa = -mantissa;
        }
        let (amount, mut format) = match scale {
            Scale::Ten(exponent, format) => {
                (Decimal::new(mantissa, exponent.saturating_sub(places)).with_exponent_at_most(MAX_EXPONENT), format)
            }
            Scale::Two(exponent) => (Decimal::new(mantissa << exponent, -places), Format::BinarySi),
        };
        // Whoever asks for a little gets a little.
        let (mut amount, _) = amount.rounded_up(NANO);
        if format == Format::BinarySi {
            let limit = Decimal::new(i64::MAX, 0);
            let limit = if amount.sign() < 0 { limit.negated() } else { limit };
            if (amount > limit) == (amount.sign() > 0) && amount != limit && amount.sign() != 0 {
                amount = limit;
            }
            let (one, minus_one) = (Decimal::new(1, 0), Decimal::new(-1, 0));
            if amount < one && amount > minus_one && amount.sign() != 0 {
                format = Format::DecimalSi;
            }
        }
        Ok(Self { amount, format, source })
    }
}

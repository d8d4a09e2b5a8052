//! A quantity as Go's `resource.Quantity` holds it once it is parsed: its private fields are part of the hash.

/// The fields of a parsed `resource.Quantity`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// `i`: the value and its decimal scale, when it fits.
    pub amount: (i64, i32),
    /// `d`: sign, unscaled value and number of decimals, when `i` does not do.
    pub decimal: Option<(bool, u128, i32)>,
    /// `s`: the text, when it is known to be canonical.
    pub text: &'a str,
    /// How it was written.
    pub format: &'static str,
}

const DECIMAL: &str = "DecimalSI";
const BINARY: &str = "BinarySI";
const EXPONENT: &str = "DecimalExponent";
/// Digits that always fit an int64.
const INT64_DIGITS: i32 = 18;
/// The smallest scale there is.
const NANO: i32 = -9;

/// Base, exponent and format of a suffix.
fn interpret(suffix: &str) -> Option<(u32, i32, &'static str)> {
    Some(match suffix {
        "n" => (10, -9, DECIMAL),
        "u" => (10, -6, DECIMAL),
        "m" => (10, -3, DECIMAL),
        "" => (10, 0, DECIMAL),
        "k" => (10, 3, DECIMAL),
        "M" => (10, 6, DECIMAL),
        "G" => (10, 9, DECIMAL),
        "T" => (10, 12, DECIMAL),
        "P" => (10, 15, DECIMAL),
        "E" => (10, 18, DECIMAL),
        "Ki" => (2, 10, BINARY),
        "Mi" => (2, 20, BINARY),
        "Gi" => (2, 30, BINARY),
        "Ti" => (2, 40, BINARY),
        "Pi" => (2, 50, BINARY),
        "Ei" => (2, 60, BINARY),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            (10, exponent.parse().ok()?, EXPONENT)
        }
    })
}

/// Parses as `resource.ParseQuantity` does; `None` for what is no quantity, or one whose decimals go beyond 128 bits.
pub fn parse(text: &str) -> Option<Parsed<'_>> {
    if text == "0" {
        return Some(Parsed { text, format: DECIMAL, ..Parsed::default() });
    }
    let negative = text.starts_with('-');
    let number = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits_end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    let (whole, rest) = number.split_at(digits_end);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())),
        None => ("", rest),
    };
    let (base, exponent, format) = interpret(suffix)?;
    let (digits, decimals) = (i32::try_from(whole.len()).ok()?, i32::try_from(fraction.len()).ok()?);
    let (precision, scale, mantissa) = match format {
        BINARY if fraction.is_empty() => (15 - digits - exponent * 3 / 10 - 1, 0, 1i64.checked_shl(exponent as u32)?),
        BINARY => (-1, 0, 1),
        _ => (INT64_DIGITS - digits - decimals, exponent, 1),
    };
    let scale = scale - decimals;
    let shifted = format!("{whole}{fraction}");
    if precision >= 0 && scale >= NANO {
        let value: i64 = shifted.parse().ok()?;
        if let Some(result) = value.checked_mul(mantissa) {
            let canonical = match format {
                BINARY => exponent % 10 == 0 && value & 7 != 0,
                _ => scale % 3 == 0 && !shifted.ends_with("000") && !shifted.starts_with('0'),
            };
            let result = if negative { -result } else { result };
            let text = if canonical { text } else { "" };
            return Some(Parsed { amount: (result, scale), decimal: None, text, format });
        }
    }
    let (unscaled, decimals, format) = decimal(shifted.parse().ok()?, decimals, base, exponent, format)?;
    Some(Parsed { amount: (0, 0), decimal: Some((negative, unscaled, decimals)), text: "", format })
}

/// The value as a decimal of nine places, rounded up.
fn decimal(
    digits: u128,
    decimals: i32,
    base: u32,
    exponent: i32,
    format: &'static str,
) -> Option<(u128, i32, &'static str)> {
    let (unscaled, decimals) = match base {
        2 => (digits.checked_mul(1u128.checked_shl(u32::try_from(exponent).ok()?)?)?, decimals),
        _ => (digits, decimals - exponent),
    };
    if unscaled == 0 {
        return Some((0, decimals, format));
    }
    let places = -NANO;
    let mut nanos = match u32::try_from(places - decimals) {
        Ok(up) => unscaled.checked_mul(10u128.checked_pow(up)?)?,
        Err(_) => match 10u128.checked_pow(decimals.abs_diff(places)) {
            Some(down) => unscaled.div_ceil(down),
            None => 1,
        },
    };
    let one = 1_000_000_000;
    let mut format = format;
    if format == BINARY {
        nanos = nanos.min(u128::from(i64::MAX.unsigned_abs()) * one);
        if nanos < one {
            format = DECIMAL;
        }
    }
    Some((nanos, places, format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_has_the_fields_it_has_in_go() {
        for (text, amount, decimal, kept, format) in [
            ("0", (0, 0), None, "0", DECIMAL),
            ("100m", (100, -3), None, "100m", DECIMAL),
            ("1", (1, 0), None, "1", DECIMAL),
            ("1000", (1000, 0), None, "", DECIMAL),
            ("0.5", (5, -1), None, "", DECIMAL),
            ("1e3", (1, 3), None, "1e3", EXPONENT),
            ("64Mi", (64 << 20, 0), None, "", BINARY),
            ("100Mi", (100 << 20, 0), None, "100Mi", BINARY),
            ("1Gi", (1 << 30, 0), None, "1Gi", BINARY),
            ("1Pi", (0, 0), Some((false, (1 << 50) * 1_000_000_000, 9)), "", BINARY),
            ("1.5Gi", (0, 0), Some((false, (3 << 29) * 1_000_000_000, 9)), "", BINARY),
        ] {
            let expected = Parsed { amount, decimal, text: kept, format };
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        assert_eq!(parse("1x"), None);
    }
}

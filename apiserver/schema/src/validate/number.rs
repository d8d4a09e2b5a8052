//! Keywords of numbers.

use apimachinery::quote::go_float;
use serde_json::{Number, Value};

use super::keywords::{Outcome, Walk, types};
use crate::node::Node;

/// Checks the range of the number's type, then `multipleOf`, `minimum` and `maximum`.
///
/// Against an integer upstream compares bounds cut to integers, against a float as floats.
pub(super) fn validate(walk: &Walk<'_>, node: &Node, given: &Number, outcome: &mut Outcome) {
    let range = Range::of(walk, node);
    let name = &walk.name;
    outcome.failures.extend(range.refuses(given, "Checked", name).map(|message| walk.plain(message)));
    let Some(constraints) = node.constraints.as_deref() else { return };
    let integer = given.as_i64();
    let float = given.as_f64().unwrap_or(f64::NAN);
    let shown = || Value::Number(given.clone());

    if let Some(factor) = constraints.multiple_of {
        let misfit = range.misfit(factor, "MultipleOf", name);
        match integer.filter(|_| misfit.is_none()) {
            Some(integer) => {
                let factor = whole(factor);
                if factor <= 0 {
                    let message = format!("factor MultipleOf declared for {name} must be positive: {factor}");
                    outcome.failures.push(walk.invalid(factor, message));
                } else if integer % factor != 0 {
                    let message = format!("{name} in body should be a multiple of {factor}");
                    outcome.failures.push(walk.invalid(shown(), message));
                }
            }
            None => {
                if let Some(message) = misfit {
                    outcome.failures.push(walk.plain(message));
                }
                let quotient = if factor < 1.0 { 1.0 / factor * float } else { float / factor };
                if factor <= 0.0 {
                    let message =
                        format!("factor MultipleOf declared for {name} must be positive: {}", go_float(factor));
                    outcome.failures.push(walk.invalid(factor, message));
                } else if !is_json_integer(quotient) {
                    let message = format!("{name} in body should be a multiple of {}", go_float(factor));
                    outcome.failures.push(walk.invalid(shown(), message));
                }
            }
        }
    }
    let bounds = [
        (constraints.minimum, constraints.exclusive_minimum, "Minimum boundary", "greater", true),
        (constraints.maximum, constraints.exclusive_maximum, "Maximum boundary", "less", false),
    ];
    for (bound, exclusive, prefix, word, lower) in bounds {
        let Some(bound) = bound else { continue };
        let misfit = range.misfit(bound, prefix, name);
        let (beyond, equal, text) = match integer.filter(|_| misfit.is_none()) {
            Some(integer) => {
                let bound = whole(bound);
                (if lower { integer < bound } else { integer > bound }, integer == bound, bound.to_string())
            }
            None => (if lower { float < bound } else { float > bound }, float == bound, go_float(bound)),
        };
        if let Some(message) = misfit {
            outcome.failures.push(walk.plain(message));
        }
        if beyond || (exclusive && equal) {
            let or_equal = if exclusive { "" } else { " or equal to" };
            let message = format!("{name} in body should be {word} than{or_equal} {text}");
            outcome.failures.push(walk.invalid(shown(), message));
        }
    }
}

/// The numbers that a node's type and format can hold.
struct Range<'a> {
    kind: &'static str,
    format: &'a str,
}

impl<'a> Range<'a> {
    fn of(walk: &Walk<'_>, node: &'a Node) -> Self {
        let kind = match types(node) {
            [kind @ ("integer" | "number")] => kind,
            _ => "",
        };
        let format = if kind.is_empty() { "" } else { walk.format(node).unwrap_or_default() };
        Self { kind, format }
    }

    /// Why a number is out of range.
    fn refuses(&self, number: &Number, prefix: &str, name: &str) -> Option<String> {
        let fits = match (self.kind, self.format, number.as_i64()) {
            ("integer", "int32", Some(integer)) => i32::try_from(integer).is_ok(),
            ("integer", _, Some(_)) => true,
            ("integer", format, None) => number.as_f64().is_some_and(|float| fits_integer(float, format)),
            (_, "float", _) => number.as_f64().is_some_and(fits_float32),
            _ => true,
        };
        (!fits).then(|| self.message(prefix, name))
    }

    /// Why a bound is out of range.
    fn misfit(&self, bound: f64, prefix: &str, name: &str) -> Option<String> {
        let fits = match (self.kind, self.format) {
            ("integer", format) => fits_integer(bound, format),
            (_, "float") => fits_float32(bound),
            _ => true,
        };
        (!fits).then(|| self.message(prefix, name))
    }

    fn message(&self, prefix: &str, name: &str) -> String {
        let kind = self.kind;
        match self.format {
            "" => format!("{prefix} value must be of type {kind} (default format) in {name}"),
            format => format!("{prefix} value must be of type {kind} with format {format} in {name}"),
        }
    }
}

fn fits_integer(float: f64, format: &str) -> bool {
    // As upstream: read back from its shortest digits, so that the least integer's float is beyond it.
    let digits = float.to_string();
    if format == "int32" { digits.parse::<i32>().is_ok() } else { digits.parse::<i64>().is_ok() }
}

fn fits_float32(float: f64) -> bool {
    // Rounding to infinity is what Go's parser calls out of range.
    #[allow(clippy::cast_possible_truncation)]
    let single = float as f32;
    single.is_finite()
}

/// The bound cut to an integer, as Go converts it.
#[allow(clippy::cast_possible_truncation)]
fn whole(float: f64) -> i64 {
    float as i64
}

/// Whether a float is an integer that JSON's consumers all can hold, give or take a billionth.
pub(super) fn is_json_integer(float: f64) -> bool {
    const MAX: f64 = 9_007_199_254_740_991.0;
    if !(-MAX..=MAX).contains(&float) {
        return false;
    }
    let truncated = float.trunc();
    let difference = (float - truncated).abs();
    float == truncated || (truncated != 0.0 && difference / (float.abs() + truncated.abs()) < 1e-9)
}

//! What calls cost, and how large their results are.

use super::range::Range;
use super::{Entries, Estimate};
use crate::ast::{Expr, Kind, Literal};
use crate::cost::{PER_CHARACTER, PER_PATTERN_CHARACTER, compares_lengths};
use crate::types::Type;

/// A call of one overload, with the costs of its arguments.
pub(super) struct Call<'a> {
    pub(super) function: &'a str,
    pub(super) overload: &'a str,
    pub(super) target: Option<&'a Expr>,
    pub(super) arguments: &'a [Expr],
    pub(super) costs: &'a [Range],
}

/// What a call comes to.
pub(super) struct CallEstimate {
    pub(super) cost: Range,
    /// The size of its result, if that is known.
    pub(super) size: Option<Range>,
}

impl CallEstimate {
    fn of(cost: Range) -> Self {
        Self { cost, size: None }
    }

    fn sized(cost: Range, size: Range) -> Self {
        Self { cost, size: Some(size) }
    }
}

impl Estimate<'_> {
    pub(super) fn of_call(&mut self, expr: &Expr, call: &Call<'_>) -> CallEstimate {
        let arguments = call.costs.iter().fold(Range::ZERO, |sum, cost| sum.add(*cost));
        if let Some(library) = self.of_library(call) {
            return CallEstimate { cost: library.cost.add(arguments), size: library.size };
        }
        self.of_standard(expr, call, arguments)
    }

    /// What Kubernetes says of its own functions and of those it turns on.
    fn of_library(&mut self, call: &Call<'_>) -> Option<CallEstimate> {
        let one = || Some(CallEstimate::of(Range::fixed(1)));
        let Call { function, overload, target, arguments, .. } = *call;
        match function {
            "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" => {
                let target = target?;
                let size = self.size_or_unknown(target);
                let mut each = Range::fixed(1);
                match self.type_of(target) {
                    Type::List(element) if matches!(**element, Type::String | Type::Bytes) => {
                        let mut place = self.place(target);
                        let declared = if place.is_empty() {
                            None
                        } else {
                            place.push("@items".into());
                            self.declared(&place)
                        };
                        each = each.add(declared.unwrap_or(Range::UNKNOWN).scaled(PER_CHARACTER));
                    }
                    Type::List(_) => {}
                    _ => return Some(CallEstimate::of(size.scaled(PER_CHARACTER))),
                }
                Some(CallEstimate::of(size.times(each)))
            }
            "url" => {
                let size = self.size_or_unknown(arguments.first()?);
                Some(CallEstimate::sized(size.scaled(PER_CHARACTER), size))
            }
            "lowerAscii" | "upperAscii" | "substring" | "trim" => {
                let size = self.size_or_unknown(target?);
                Some(CallEstimate::sized(size.scaled(PER_CHARACTER), size))
            }
            "replace" => {
                let [old, new, ..] = arguments else { return None };
                let size = self.size_or_unknown(target?);
                let result = replaced(size, self.size_or_unknown(old), self.size_or_unknown(new));
                Some(CallEstimate::sized(size.scaled(2.0 * PER_CHARACTER), result))
            }
            "split" => {
                let size = self.size_or_unknown(target?);
                let most = match arguments {
                    [_, Expr { kind: Kind::Literal(Literal::Int(most)), .. }] => *most as u64,
                    _ => size.max,
                };
                Some(CallEstimate::sized(size.scaled(2.0 * PER_CHARACTER), Range { min: 0, max: most }))
            }
            "join" => {
                let target = target?;
                let list = self.size_or_unknown(target);
                let mut place = self.place(target);
                place.push("@items".into());
                let declared = if place.len() > 1 { self.declared(&place) } else { None };
                let mut size = list.times(declared.unwrap_or(Range::UNKNOWN));
                if let Some(between) = arguments.first() {
                    let gaps = Range { min: list.min.saturating_sub(1), max: list.max.saturating_sub(1) };
                    size = size.add(self.size_or_unknown(between).times(gaps));
                }
                Some(CallEstimate::sized(size.scaled(PER_CHARACTER), size))
            }
            "find" | "findAll" => {
                let size = self.size_or_unknown(target?);
                let pattern = self.size_or_unknown(arguments.first()?);
                Some(CallEstimate::sized(matching(size, pattern), Range { min: 0, max: size.max }))
            }
            "ip" if overload == "cidr_ip" => one(),
            "cidr" | "isIP" | "isCIDR" | "ip" | "quantity" | "isQuantity" | "semver" | "isSemver" => {
                Some(CallEstimate::of(self.size_or_unknown(arguments.first()?).scaled(PER_CHARACTER)))
            }
            "ip.isCanonical" => {
                Some(CallEstimate::of(self.size_or_unknown(arguments.first()?).scaled(2.0 * PER_CHARACTER)))
            }
            "containsIP" | "containsCIDR" => {
                // An address has 4 bytes or 16.
                let bytes = Range { min: 4, max: 16 };
                let mut cost = bytes.add(bytes).scaled(PER_CHARACTER);
                if function == "containsCIDR" {
                    cost = cost.add(bytes.scaled(PER_CHARACTER)).add(Range::fixed(1));
                }
                if overload.ends_with("_string") {
                    cost = cost.add(self.size_or_unknown(arguments.first()?).scaled(PER_CHARACTER));
                }
                Some(CallEstimate::of(cost))
            }
            "validate" => {
                let size = self.size_or_unknown(arguments.first()?);
                Some(CallEstimate::of(size.scaled(PER_CHARACTER).scaled(128.0 * PER_PATTERN_CHARACTER)))
            }
            "format.named"
            | "masked"
            | "prefixLength"
            | "family"
            | "isUnspecified"
            | "isLoopback"
            | "isLinkLocalMulticast"
            | "isLinkLocalUnicast"
            | "isGlobalUnicast"
            | "sign"
            | "asInteger"
            | "isInteger"
            | "asApproximateFloat"
            | "isGreaterThan"
            | "isLessThan"
            | "compareTo"
            | "add"
            | "sub"
            | "major"
            | "minor"
            | "patch"
            | "getScheme"
            | "getHostname"
            | "getHost"
            | "getPort"
            | "getEscapedPath"
            | "getQuery" => one(),
            "_==_" => {
                let [left, right] = arguments else { return None };
                let (Type::Opaque(a, _), Type::Opaque(b, _)) = (self.type_of(left), self.type_of(right)) else {
                    return None;
                };
                match *a {
                    _ if a != b => None,
                    "net.IP" | "net.CIDR" | "kubernetes.Quantity" | "kubernetes.Semver" => one(),
                    "kubernetes.NamedFormat" => Some(CallEstimate::of(Range { min: 1, max: 64 }.scaled(PER_CHARACTER))),
                    "kubernetes.URL" => {
                        let max = self.size(right).map_or(1, |size| size.max);
                        Some(CallEstimate::of(Range { min: 1, max }.scaled(PER_CHARACTER)))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn of_standard(&mut self, expr: &Expr, call: &Call<'_>, costs: Range) -> CallEstimate {
        let Call { overload, target, arguments, .. } = *call;
        match (overload, target, arguments) {
            ("string_format", Some(target), _) => {
                CallEstimate::of(self.size_or_unknown(target).scaled(PER_CHARACTER).add(costs))
            }
            ("string_to_bytes", _, [text]) => {
                let size = self.size_or_unknown(text);
                let result = Range { min: size.min, max: size.max.wrapping_mul(4) };
                CallEstimate::sized(size.scaled(PER_CHARACTER).add(costs), result)
            }
            ("bytes_to_string", _, [bytes]) => {
                let size = self.size_or_unknown(bytes);
                CallEstimate::sized(size.scaled(PER_CHARACTER).add(costs), Range { min: size.min / 4, max: size.max })
            }
            ("strings_quote", _, [text]) => {
                let size = self.size_or_unknown(text);
                let result = Range { min: size.min.wrapping_add(2), max: size.max.wrapping_mul(2).wrapping_add(2) };
                CallEstimate::sized(size.scaled(PER_CHARACTER).add(costs), result)
            }
            ("starts_with_string" | "ends_with_string", _, [part]) => {
                CallEstimate::of(self.size_or_unknown(part).scaled(PER_CHARACTER).add(costs))
            }
            ("in_list", _, [_, list]) => CallEstimate::of(self.size_or_unknown(list).add(costs)),
            ("matches_string", Some(target), [pattern]) => {
                let size = self.size_or_unknown(target);
                CallEstimate::of(matching(size, self.size_or_unknown(pattern)).add(costs))
            }
            ("contains_string", Some(target), [part]) => {
                let whole = self.size_or_unknown(target).scaled(PER_CHARACTER);
                CallEstimate::of(whole.times(self.size_or_unknown(part).scaled(PER_CHARACTER)).add(costs))
            }
            ("logical_or" | "logical_and", _, _) => {
                let [left, right] = call.costs else { return CallEstimate::of(costs) };
                CallEstimate::of(Range { min: left.min, max: left.add(*right).max })
            }
            ("conditional", _, [_, yes, no]) => {
                let size = self.size_or_unknown(yes).union(self.size_or_unknown(no));
                if let Some(entries) = union(self.entries_of(yes), self.entries_of(no)) {
                    self.entries.insert(expr.id, entries);
                }
                let [condition, yes, no] = call.costs else { return CallEstimate::of(costs) };
                CallEstimate::sized(condition.add(yes.union(*no)), size)
            }
            ("add_string" | "add_bytes" | "add_list", _, [left, right]) => {
                let size = self.size_or_unknown(left).add(self.size_or_unknown(right));
                if let Some(entries) = union(self.entries_of(left), self.entries_of(right)) {
                    self.entries.insert(expr.id, entries);
                }
                let own = if overload == "add_list" { Range::fixed(1) } else { size.scaled(PER_CHARACTER) };
                CallEstimate::sized(own.add(costs), size)
            }
            (overload, _, [left, right]) if compares_lengths(overload) => {
                let max = self.size_or_unknown(left).max.min(self.size_or_unknown(right).max);
                CallEstimate::of(Range { min: u64::from(max > 0), max }.scaled(PER_CHARACTER).add(costs))
            }
            _ => CallEstimate::of(Range::fixed(1).add(costs)),
        }
    }
}

/// A regular expression's work: each character of the text with each state, of which four characters make one.
fn matching(text: Range, pattern: Range) -> Range {
    text.add(Range::fixed(1)).scaled(PER_CHARACTER).times(pattern.scaled(PER_PATTERN_CHARACTER))
}

fn union(left: Option<Entries>, right: Option<Entries>) -> Option<Entries> {
    let (left, right) = (left?, right?);
    Some(Entries { list: left.list, keys: left.keys.union(right.keys), values: left.values.union(right.values) })
}

/// The size of `size` characters after every `old` in them has become `new`.
fn replaced(size: Range, old: Range, new: Range) -> Range {
    let times = |size: u64, part: u64| (size as f64 / part as f64).ceil() as u64;
    let (count_max, kept_max) = if old.min == 0 {
        // Nothing stands before, between and after all characters.
        (size.max.saturating_add(1), size.max)
    } else if new.max <= old.min {
        (0, size.max)
    } else {
        (times(size.max, old.min), 0)
    };
    let (count_min, kept_min) = if old.max == 0 {
        (size.min.saturating_add(1), size.min)
    } else if old.max <= new.min {
        (0, size.min)
    } else {
        (times(size.min, old.max), 0)
    };
    Range { min: count_min, max: count_max }.times(new).add(Range { min: kept_min, max: kept_max })
}

//! The known gaps: recorded exchanges that a server does not answer alike yet, each with the reason.
//!
//! One line each, `<area>/<scenario> <step>  <reason>`; `#` begins a comment line. The list can only shrink: a gap that
//! is closed has to leave it.

use std::collections::HashMap;

use super::replay::{Exchange, Outcome};

/// The list.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    text: String,
    /// Line by scenario and step.
    lines: HashMap<(String, String), String>,
}

/// How a replay compares with the list.
#[derive(Debug, Default)]
pub struct Verdict<'a> {
    /// Differences that are not listed.
    pub unlisted: Vec<(&'a Outcome, &'a Exchange)>,
    /// Lines whose exchange matches now.
    pub closed: Vec<&'a str>,
    /// Lines that name no step of a scenario that was replayed.
    pub unknown: Vec<&'a str>,
}

impl Verdict<'_> {
    /// Whether the list is what was found.
    pub fn holds(&self) -> bool {
        self.unlisted.is_empty() && self.closed.is_empty() && self.unknown.is_empty()
    }
}

impl Gaps {
    /// Reads the list.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lines = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let refuse = |what: &str| Err(format!("line {}: {what}: {line}", number + 1));
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.splitn(2, char::is_whitespace);
            let (scenario, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().trim_start());
            let (step, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            if !scenario.contains('/') || step.is_empty() {
                return refuse("a gap is `<area>/<scenario> <step>  <reason>`");
            }
            if reason.trim().is_empty() {
                return refuse("a gap needs a reason");
            }
            if lines.insert((scenario.to_owned(), step.to_owned()), line.to_owned()).is_some() {
                return refuse("this gap is listed twice");
            }
        }
        Ok(Self { text: text.to_owned(), lines })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether a step of a scenario (`<area>/<name>`) is listed.
    pub fn lists(&self, scenario: &str, step: &str) -> bool {
        self.line(scenario, step).is_some()
    }

    fn line(&self, scenario: &str, step: &str) -> Option<&str> {
        self.lines.get(&(scenario.to_owned(), step.to_owned())).map(String::as_str)
    }

    /// Compares a replay with the list; lines of scenarios that were not replayed are left out of it.
    pub fn judge<'a>(&'a self, outcomes: &'a [Outcome]) -> Verdict<'a> {
        let mut verdict = Verdict::default();
        for outcome in outcomes {
            for exchange in &outcome.exchanges {
                match (self.line(&outcome.path, &exchange.id), exchange.matched) {
                    (None, false) => verdict.unlisted.push((outcome, exchange)),
                    (Some(line), true) => verdict.closed.push(line),
                    _ => (),
                }
            }
        }
        let unknown = self.lines.iter().filter(|((scenario, step), _)| {
            let outcome = outcomes.iter().find(|outcome| outcome.path == *scenario);
            outcome.is_some_and(|outcome| outcome.exchanges.iter().all(|exchange| exchange.id != *step))
        });
        verdict.unknown = unknown.map(|(_, line)| line.as_str()).collect();
        verdict.unknown.sort_unstable();
        verdict
    }

    /// The scenarios (`<area>/<name>`) that are listed and not among those replayed.
    pub fn not_replayed(&self, outcomes: &[Outcome]) -> Vec<&str> {
        let listed = self.lines.keys().map(|(scenario, _)| scenario.as_str());
        let mut missing: Vec<&str> =
            listed.filter(|scenario| outcomes.iter().all(|outcome| outcome.path != *scenario)).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// The list's text without the lines that `verdict` found closed or unknown.
    pub fn pruned(&self, verdict: &Verdict<'_>) -> String {
        let gone = |line: &str| verdict.closed.contains(&line) || verdict.unknown.contains(&line);
        self.text.lines().filter(|line| !gone(line)).map(|line| format!("{line}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::replay::tests::outcome;
    use super::*;

    const LIST: &str = "# why\narea/one a  not there yet\n\narea/one b  an accident of the recording\narea/two c  x\n";

    #[test]
    fn a_gap_without_a_reason_or_twice_is_an_error() {
        let cases = [
            ("area/one a", "line 1: a gap needs a reason: area/one a"),
            ("\narea/one a   ", "line 2: a gap needs a reason: area/one a   "),
            ("one a x", "line 1: a gap is `<area>/<scenario> <step>  <reason>`: one a x"),
            ("area/one", "line 1: a gap is `<area>/<scenario> <step>  <reason>`: area/one"),
            ("area/one a x\narea/one a y", "line 2: this gap is listed twice: area/one a y"),
        ];
        for (text, reason) in cases {
            assert_eq!(Gaps::parse(text).unwrap_err(), reason);
        }
        assert_eq!(Gaps::parse(LIST).unwrap().len(), 3);
    }

    #[test]
    fn a_new_difference_and_a_closed_gap_both_fail_and_the_closed_one_can_be_pruned() {
        let gaps = Gaps::parse(LIST).unwrap();
        let as_listed = [outcome("area/one", &[("a", false), ("b", false), ("c", true)])];
        assert!(gaps.judge(&as_listed).holds());
        assert_eq!(gaps.not_replayed(&as_listed), ["area/two"]);

        let changed = [outcome("area/one", &[("a", true), ("b", false), ("c", false)]), outcome("area/two", &[])];
        let verdict = gaps.judge(&changed);
        let unlisted: Vec<_> =
            verdict.unlisted.iter().map(|(outcome, exchange)| (&*outcome.path, &*exchange.id)).collect();
        assert_eq!(unlisted, [("area/one", "c")]);
        assert_eq!(verdict.closed, ["area/one a  not there yet"]);
        assert_eq!(verdict.unknown, ["area/two c  x"]);
        assert_eq!(gaps.pruned(&verdict), "# why\n\narea/one b  an accident of the recording\n");
    }
}

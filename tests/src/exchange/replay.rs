//! Sending recordings to another server and comparing its answers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use futures::StreamExt as _;

use super::gaps::Gaps;
use super::scenario::Scenario;
use super::server::Server;
use super::value::{Object, Value};
use super::{diff, print, run};

/// What came of one scenario.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its area.
    pub area: String,
    /// `<area>/<name>`.
    pub path: String,
    /// Its recorded exchanges, in order.
    pub exchanges: Vec<Exchange>,
}

/// One recorded exchange and its repetition.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The step's name.
    pub id: String,
    /// Whether both answers are the same.
    pub matched: bool,
    expected: Value,
    actual: Value,
}

impl Exchange {
    /// The lines of a unified diff, at most `most` and then how many more there are.
    pub fn difference(&self, most: usize) -> Vec<String> {
        let (expected, actual) = (print::sorted(&self.expected), print::sorted(&self.actual));
        let mut lines = diff::unified(&expected, &actual, "upstream", "this server");
        if lines.len() > most {
            let more = lines.len() - most;
            lines.truncate(most);
            lines.push(format!("… {more} more lines"));
        }
        lines
    }
}

impl Outcome {
    /// How many exchanges are the same.
    pub fn matched(&self) -> usize {
        self.exchanges.iter().filter(|exchange| exchange.matched).count()
    }

    /// Those that are not.
    pub fn differences(&self) -> impl Iterator<Item = &Exchange> {
        self.exchanges.iter().filter(|exchange| !exchange.matched)
    }

    /// The scenario and its count in one line, with the steps that differ.
    pub fn summary(&self) -> String {
        let (matched, total) = (self.matched(), self.exchanges.len());
        let differing: Vec<&str> = self.differences().map(|exchange| exchange.id.as_str()).collect();
        match differing.as_slice() {
            [] => format!("ok   {}: {matched}/{total}", self.path),
            steps => format!("DIFF {}: {matched}/{total}  ({})", self.path, steps.join(", ")),
        }
    }
}

/// Replays `scenarios`, at most `jobs` at once; those that look beyond themselves first, one after the other, while no
/// other has left anything. The outcomes are in the order of the scenarios.
pub async fn replay(server: &Server, scenarios: &[Scenario], jobs: usize) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; scenarios.len()];
    let (alone, together): (Vec<usize>, Vec<usize>) =
        (0..scenarios.len()).partition(|at| scenarios[*at].looks_beyond_itself());
    for at in alone {
        outcomes[at] = Some(replay_one(server, &scenarios[at]).await);
    }
    let done = futures::stream::iter(together)
        .map(|at| async move { (at, replay_one(server, &scenarios[at]).await) })
        .buffer_unordered(jobs.max(1))
        .collect::<Vec<_>>()
        .await;
    for (at, outcome) in done {
        outcomes[at] = Some(outcome);
    }
    outcomes.into_iter().flatten().collect()
}

/// Replays once more, alone, each scenario that `gaps` did not foresee, because a difference may be one of timing: an
/// unlisted difference has to be seen twice, and a listed one has to be away twice.
pub async fn confirm(server: &Server, scenarios: &[Scenario], outcomes: &mut [Outcome], gaps: &Gaps) {
    for (scenario, outcome) in scenarios.iter().zip(outcomes) {
        let surprise = |exchange: &Exchange| exchange.matched == gaps.lists(&scenario.path(), &exchange.id);
        if !outcome.exchanges.iter().any(surprise) {
            continue;
        }
        let again = replay_one(server, scenario).await;
        for (first, second) in outcome.exchanges.iter_mut().zip(again.exchanges) {
            if surprise(first) {
                *first = second;
            }
        }
    }
}

async fn replay_one(server: &Server, scenario: &Scenario) -> Outcome {
    let answers = run(server, scenario).await;
    let exchanges = scenario.steps.iter().enumerate().filter_map(|(at, step)| {
        let expected = step.response.clone()?;
        let actual = match &answers {
            Ok(answers) => answers.get(at).cloned().flatten().unwrap_or(Value::Null),
            Err(error) => Value::Object(Object::from_iter([
                ("status".to_owned(), "no answer".into()),
                ("body".to_owned(), Value::String(error.to_string())),
            ])),
        };
        Some(Exchange { id: step.id.clone(), matched: expected == actual, expected, actual })
    });
    Outcome { area: scenario.area.clone(), path: scenario.path(), exchanges: exchanges.collect() }
}

/// Scenarios and exchanges matched of all, by area and in total.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut areas = BTreeMap::<&str, [usize; 4]>::new();
    for outcome in outcomes {
        let row = areas.entry(&outcome.area).or_default();
        let (matched, total) = (outcome.matched(), outcome.exchanges.len());
        for (sum, n) in row.iter_mut().zip([usize::from(matched == total), 1, matched, total]) {
            *sum += n;
        }
    }
    let all = areas.values().fold([0; 4], |sum, row| std::array::from_fn(|at| sum[at] + row[at]));
    let mut out = format!("{:<12} {:>11} {:>15}\n", "area", "scenarios", "exchanges");
    for (area, [scenarios, of, exchanges, of_all]) in areas.into_iter().chain([("all", all)]) {
        // Writing to a String cannot fail.
        let _ =
            writeln!(out, "{area:<12} {:>11} {:>15}", format!("{scenarios} / {of}"), format!("{exchanges} / {of_all}"));
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::read::json;
    use super::*;

    /// An outcome with these exchanges and whether each matched.
    pub(in super::super) fn outcome(path: &str, exchanges: &[(&str, bool)]) -> Outcome {
        let exchange = |(id, matched): &(&str, bool)| {
            let answer = |n: u8| json(&format!(r#"{{"status":{n}}}"#)).unwrap();
            Exchange {
                id: (*id).to_owned(),
                matched: *matched,
                expected: answer(1),
                actual: answer(2 - u8::from(*matched)),
            }
        };
        let area = path.split('/').next().unwrap_or_default().to_owned();
        Outcome { area, path: path.to_owned(), exchanges: exchanges.iter().map(exchange).collect() }
    }

    #[test]
    fn the_table_counts_scenarios_and_exchanges_by_area() {
        let outcomes = [
            outcome("watch/a", &[("a", true), ("b", false)]),
            outcome("objects/a", &[("a", true)]),
            outcome("watch/b", &[("a", true)]),
        ];
        let expected = "\
area           scenarios       exchanges
objects            1 / 1           1 / 1
watch              1 / 2           2 / 3
all                2 / 3           3 / 4
";
        assert_eq!(table(&outcomes), expected);
        assert_eq!(outcomes[0].summary(), "DIFF watch/a: 1/2  (b)");
        assert_eq!(outcomes[1].summary(), "ok   objects/a: 1/1");
    }

    #[test]
    fn a_long_difference_is_cut_and_says_so() {
        let outcome = outcome("a/b", &[("a", false)]);
        let difference = outcome.exchanges[0].difference(2);
        assert_eq!(difference, ["--- upstream", "+++ this server", "… 5 more lines"]);
    }
}

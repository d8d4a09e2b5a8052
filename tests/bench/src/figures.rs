//! What was measured: tables for people, JSON for programs.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Figures in the order in which they were taken.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Figures {
    all: Vec<Figure>,
    #[serde(skip)]
    section: String,
}

/// One number: of a section of the whole, the work that was done, and what of it was measured (nothing if there is but one
/// thing to measure).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    pub section: String,
    pub work: String,
    pub measure: String,
    pub value: f64,
    pub unit: String,
}

impl Figures {
    /// Begins a section: what is added from now on belongs to it.
    pub fn section(&mut self, name: impl Into<String>) {
        self.section = name.into();
    }

    /// Adds figures to a section beside the one at hand.
    pub fn aside(&mut self, name: &str, add: impl FnOnce(&mut Self)) {
        let section = self.section.clone();
        self.section(format!("{section}: {name}"));
        add(self);
        self.section = section;
    }

    /// Adds a figure that is alone of its work.
    pub fn add(&mut self, work: impl Into<String>, value: f64, unit: &str) {
        self.measure(work, "", value, unit);
    }

    /// Adds one of several figures of a work.
    pub fn measure(&mut self, work: impl Into<String>, measure: &str, value: f64, unit: &str) {
        let (section, work) = (self.section.clone(), work.into());
        let figure = Figure { section, work, measure: measure.to_owned(), value, unit: unit.to_owned() };
        // A load takes minutes: who waits sees how far it is.
        eprintln!("{figure}");
        self.all.push(figure);
    }

    /// A time, in milliseconds.
    pub fn time(&mut self, work: impl Into<String>, time: Duration) {
        self.add(work, milliseconds(time), "ms");
    }

    /// Bytes, in MB (of 1,000,000).
    pub fn megabytes(&mut self, work: impl Into<String>, bytes: u64) {
        self.add(work, bytes as f64 / 1e6, "MB");
    }

    /// Bytes, in KiB.
    pub fn kibibytes(&mut self, work: impl Into<String>, bytes: f64) {
        self.add(work, bytes / 1024.0, "KiB");
    }

    /// The middle and the tail of many times.
    pub fn times(&mut self, work: &str, mut times: Vec<Duration>) {
        times.sort_unstable();
        for (part, words) in [(0.5, "median"), (0.99, "99th percentile"), (1.0, "longest")] {
            if let Some(time) = quantile(&times, part) {
                self.time(format!("{work}, {words}"), time);
            }
        }
    }

    /// The value of a figure.
    pub fn get(&self, section: &str, work: &str, measure: &str) -> Option<f64> {
        let found = |figure: &&Figure| figure.section == section && figure.work == work && figure.measure == measure;
        self.all.iter().find(found).map(|figure| figure.value)
    }

    /// Takes up those of another run.
    pub fn extend(&mut self, other: Self) {
        self.all.extend(other.all);
    }

    /// The value of a figure of the section at hand.
    pub fn here(&self, work: &str, measure: &str) -> Option<f64> {
        self.get(&self.section, work, measure)
    }
}

/// Of times in order, the one that this part of them does not exceed.
pub fn quantile(times: &[Duration], part: f64) -> Option<Duration> {
    let at = ((times.len() as f64 * part).ceil() as usize).clamp(1, times.len().max(1)) - 1;
    times.get(at).copied()
}

/// A time in milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A number as people read it: three digits, thousands apart.
pub fn shown(value: f64, unit: &str) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 || size.fract() == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let digits = format!("{value:.decimals$}");
    let (whole, fraction) = digits.split_once('.').map_or((&*digits, String::new()), |(a, b)| (a, format!(".{b}")));
    let mut apart = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && !apart.ends_with('-') {
            apart.push(',');
        }
        apart.push(digit);
    }
    match unit {
        "" => format!("{apart}{fraction}"),
        "/s" | "%" => format!("{apart}{fraction}{unit}"),
        _ => format!("{apart}{fraction} {unit}"),
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = |text: &str| if text.is_empty() { "" } else { ", " };
        let Self { section, work, measure, value, unit } = self;
        let name = format!("{section}{}{work}{}{measure}", between(section), between(measure));
        write!(f, "{name:<90} {:>16}", shown(*value, unit))
    }
}

/// A table for each section: a row for each work, a column for each thing that was measured of any.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sections: Vec<&str> = Vec::new();
        self.all.iter().for_each(|figure| once(&mut sections, &figure.section));
        for section in sections {
            let (mut works, mut measures) = (Vec::new(), Vec::new());
            let here: Vec<&Figure> = self.all.iter().filter(|figure| figure.section == section).collect();
            for figure in &here {
                once(&mut works, &figure.work);
                once(&mut measures, &figure.measure);
            }
            let cell = |work: &str, measure: &str| {
                let found = here.iter().find(|figure| figure.work == work && figure.measure == measure);
                found.map_or(String::new(), |figure| shown(figure.value, &figure.unit))
            };
            let rows = works.iter().map(|work| {
                let cells = measures.iter().map(|measure| cell(work, measure));
                std::iter::once((*work).to_owned()).chain(cells).collect()
            });
            let head: Vec<String> =
                std::iter::once(section).chain(measures.iter().copied()).map(str::to_owned).collect();
            writeln!(f, "{}", table(&head, &rows.collect::<Vec<_>>()))?;
        }
        Ok(())
    }
}

fn once<'a>(seen: &mut Vec<&'a str>, name: &'a str) {
    if !seen.contains(&name) {
        seen.push(name);
    }
}

/// A table in Markdown whose columns line up; all but the first are aligned right.
pub fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let all = || std::iter::once(head).chain(rows.iter().map(Vec::as_slice));
    let width =
        |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(|column| width(column).max(4)).collect();
    let line = |row: &[String]| {
        let cells = widths.iter().enumerate().map(|(column, width)| {
            let cell = row.get(column).map_or("", String::as_str);
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule: Vec<String> = widths
        .iter()
        .enumerate()
        .map(|(column, width)| if column == 0 { "-".repeat(*width) } else { format!("{}:", "-".repeat(width - 1)) })
        .collect();
    std::iter::once(head).chain([&*rule]).chain(rows.iter().map(Vec::as_slice)).map(line).collect()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn numbers_are_shown_with_three_digits_and_thousands_apart() {
        for (value, unit, expected) in [
            (0.10444, "ms", "0.104 ms"),
            (12.345, "MB", "12.3 MB"),
            (15234.6, "/s", "15,235/s"),
            (-1234567.0, "", "-1,234,567"),
            (2.0, "", "2"),
            (999.6, "ms", "1,000 ms"),
        ] {
            assert_eq!(shown(value, unit), expected);
        }
    }

    #[test]
    fn a_section_becomes_a_table() {
        let mut figures = Figures::default();
        figures.section("embedded");
        figures.measure("create", "rate", 15000.0, "/s");
        figures.measure("create", "CPU each", 0.1, "ms");
        figures.measure("get", "CPU each", 0.03, "ms");
        let expected = "\
| embedded |     rate | CPU each |
| -------- | -------: | -------: |
| create   | 15,000/s | 0.100 ms |
| get      |          | 0.030 ms |

";
        assert_eq!(figures.to_string(), expected);
        assert_eq!(figures.get("embedded", "get", "CPU each"), Some(0.03));
    }
}

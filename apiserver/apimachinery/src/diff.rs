//! Unified diffs of lines, as upstream's messages show them (`apimachinery/pkg/util/diff`): three lines of context, no file
//! names.
//!
//! Which lines count as kept is decided as Python's difflib does, whose algorithm upstream's library has: the longest
//! common run first, then left and right of it, with lines that are everywhere in a long text not starting a run.

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;

/// Unchanged lines around a change.
const CONTEXT: usize = 3;
/// From how many lines on a line that makes up more than a hundredth of them does not start a run.
const POPULAR_FROM: usize = 200;
/// The most pairs of equal lines that are looked at. What is left then counts as changed: a diff of hostile texts is longer
/// than it could be, not slower.
const MOST_PAIRS: usize = 20_000_000;

/// The unified diff of two texts; empty if they have the same lines.
pub fn unified(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split('\n').collect(), new.split('\n').collect());
    let mut out = String::new();
    for hunk in hunks(&changes(&old, &new)) {
        let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { continue };
        let (a, b) = (first.old.start..last.old.end, first.new.start..last.new.end);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "@@ -{} +{} @@", range(&a), range(&b));
        for Change { kept, old: a, new: b } in hunk {
            let (removed, added) = if kept { (' ', 0..0) } else { ('-', b) };
            for line in &old[a] {
                let _ = writeln!(out, "{removed}{line}");
            }
            for line in &new[added] {
                let _ = writeln!(out, "+{line}");
            }
        }
    }
    out
}

/// Lines as a hunk's head names them: from 1, with their number unless it is one.
fn range(lines: &Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        length => format!("{},{length}", lines.start + 1),
    }
}

/// Lines of the old text and what is there in the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    kept: bool,
    old: Range<usize>,
    new: Range<usize>,
}

fn changes(old: &[&str], new: &[&str]) -> Vec<Change> {
    let mut changes = Vec::new();
    let (mut i, mut j) = (0, 0);
    for run in runs(old, new) {
        if i < run.old || j < run.new {
            changes.push(Change { kept: false, old: i..run.old, new: j..run.new });
        }
        (i, j) = (run.old + run.length, run.new + run.length);
        if run.length > 0 {
            changes.push(Change { kept: true, old: run.old..i, new: run.new..j });
        }
    }
    changes
}

/// The changes with the context around them, those that are close to each other together.
fn hunks(changes: &[Change]) -> Vec<Vec<Change>> {
    let mut hunks = Vec::new();
    let mut hunk: Vec<Change> = Vec::new();
    for (at, change) in changes.iter().enumerate() {
        let mut change = change.clone();
        if change.kept {
            let (is_first, is_last) = (at == 0, at + 1 == changes.len());
            let head = |change: &Change| Change {
                kept: true,
                old: change.old.start..change.old.end.min(change.old.start + CONTEXT),
                new: change.new.start..change.new.end.min(change.new.start + CONTEXT),
            };
            let tail = |change: &Change| Change {
                kept: true,
                old: change.old.end.saturating_sub(CONTEXT).max(change.old.start)..change.old.end,
                new: change.new.end.saturating_sub(CONTEXT).max(change.new.start)..change.new.end,
            };
            if is_first {
                change = tail(&change);
            } else if is_last {
                change = head(&change);
            } else if change.old.len() > 2 * CONTEXT {
                hunk.push(head(&change));
                hunks.push(std::mem::take(&mut hunk));
                change = tail(&change);
            }
        }
        hunk.push(change);
    }
    if hunk.iter().any(|change| !change.kept) {
        hunks.push(hunk);
    }
    hunks
}

/// Equal lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    old: usize,
    new: usize,
    length: usize,
}

/// The runs in order, adjacent ones joined, and an empty one at the end.
fn runs(old: &[&str], new: &[&str]) -> Vec<Run> {
    let mut index: HashMap<&str, Vec<usize>> = HashMap::with_capacity(new.len());
    for (at, line) in new.iter().enumerate() {
        index.entry(line).or_default().push(at);
    }
    if new.len() >= POPULAR_FROM {
        let most = new.len() / 100 + 1;
        index.retain(|_, places| places.len() <= most);
    }
    let places = old.iter().map(|line| index.get(line).map_or(&[][..], Vec::as_slice)).collect();
    let mut search = Search { old, new, places, pairs_left: MOST_PAIRS };
    let mut runs: Vec<Run> = Vec::new();
    // Left parts are done before right ones: a stack, for texts may be long.
    let mut open = vec![Step::Search(0..old.len(), 0..new.len())];
    while let Some(step) = open.pop() {
        match (step, runs.last_mut()) {
            (Step::Search(old, new), _) => {
                let run = search.longest(&old, &new);
                if run.length == 0 {
                    continue;
                }
                let (old_end, new_end) = (run.old + run.length, run.new + run.length);
                if old_end < old.end && new_end < new.end {
                    open.push(Step::Search(old_end..old.end, new_end..new.end));
                }
                open.push(Step::Found(run));
                if old.start < run.old && new.start < run.new {
                    open.push(Step::Search(old.start..run.old, new.start..run.new));
                }
            }
            (Step::Found(run), Some(last))
                if last.old + last.length == run.old && last.new + last.length == run.new =>
            {
                last.length += run.length;
            }
            (Step::Found(run), _) => runs.push(run),
        }
    }
    runs.push(Run { old: old.len(), new: new.len(), length: 0 });
    runs
}

enum Step {
    /// Look for runs here.
    Search(Range<usize>, Range<usize>),
    /// What is left of it is done.
    Found(Run),
}

struct Search<'a> {
    old: &'a [&'a str],
    new: &'a [&'a str],
    /// For each old line where it is in the new text, unless it is popular there.
    places: Vec<&'a [usize]>,
    pairs_left: usize,
}

impl Search<'_> {
    /// The longest run within the ranges, the first of several.
    fn longest(&mut self, old: &Range<usize>, new: &Range<usize>) -> Run {
        let mut best = Run { old: old.start, new: new.start, length: 0 };
        // The length of the run that ends with the old line before and the new line `j`.
        let mut lengths: HashMap<usize, usize> = HashMap::new();
        let mut of_line: HashMap<usize, usize> = HashMap::new();
        for i in old.clone() {
            of_line.clear();
            let places = self.places[i];
            let from = places.partition_point(|&j| j < new.start);
            for &j in places[from..].iter().take_while(|&&j| j < new.end) {
                if self.pairs_left == 0 {
                    return best;
                }
                self.pairs_left -= 1;
                let length = j.checked_sub(1).and_then(|before| lengths.get(&before)).copied().unwrap_or(0) + 1;
                of_line.insert(j, length);
                if length > best.length {
                    best = Run { old: i + 1 - length, new: j + 1 - length, length };
                }
            }
            std::mem::swap(&mut lengths, &mut of_line);
        }
        // Popular lines start no run, but belong to one beside them.
        while best.old > old.start && best.new > new.start && self.old[best.old - 1] == self.new[best.new - 1] {
            best = Run { old: best.old - 1, new: best.new - 1, length: best.length + 1 };
        }
        while best.old + best.length < old.end
            && best.new + best.length < new.end
            && self.old[best.old + best.length] == self.new[best.new + best.length]
        {
            best.length += 1;
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(numbers: impl IntoIterator<Item = usize>) -> String {
        numbers.into_iter().map(|number| number.to_string()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn changes_are_shown_with_their_surroundings() {
        let cases: &[(&str, String, String, &str)] = &[
            ("nothing", lines(0..9), lines(0..9), ""),
            ("one line", "a".into(), "b".into(), "@@ -1 +1 @@\n-a\n+b\n"),
            (
                "the middle",
                lines(0..9),
                lines((0..9).map(|n| if n == 4 { 40 } else { n })),
                "@@ -2,7 +2,7 @@\n 1\n 2\n 3\n-4\n+40\n 5\n 6\n 7\n",
            ),
            ("the start", lines(0..5), lines(1..5), "@@ -1,4 +1,3 @@\n-0\n 1\n 2\n 3\n"),
            ("the end", lines(0..5), lines(0..6), "@@ -3,3 +3,4 @@\n 2\n 3\n 4\n+5\n"),
            (
                "close to each other",
                lines(0..8),
                lines((1..7).chain([70])),
                "@@ -1,8 +1,7 @@\n-0\n 1\n 2\n 3\n 4\n 5\n 6\n-7\n+70\n",
            ),
            (
                "far from each other",
                lines(0..10),
                lines(1..9),
                "@@ -1,4 +1,3 @@\n-0\n 1\n 2\n 3\n@@ -7,4 +6,3 @@\n 6\n 7\n 8\n-9\n",
            ),
            ("of nothing", String::new(), lines(0..2), "@@ -1 +1,2 @@\n-\n+0\n+1\n"),
        ];
        for (what, old, new, want) in cases {
            assert_eq!(unified(old, new), *want, "{what}");
        }
    }

    #[test]
    fn a_line_that_is_everywhere_in_a_long_text_starts_no_run() {
        // As Python's difflib does it: the blocks of equal lines are found by the lines that are rare.
        let text = |first: usize| -> String {
            (first..first + 120).flat_map(|n| [n.to_string(), "}".to_owned()]).collect::<Vec<_>>().join("\n")
        };
        let diff = unified(&text(0), &text(1));
        assert_eq!(diff, "@@ -1,5 +1,3 @@\n-0\n-}\n 1\n }\n 2\n@@ -238,3 +236,5 @@\n }\n 119\n }\n+120\n+}\n");
    }

    #[test]
    fn hostile_texts_cost_bounded_work() {
        let (old, new) = ("x\ny\n".repeat(60), "y\nx\nx\n".repeat(60));
        let kept = unified(&old, &new).lines().filter(|line| !line.starts_with(['+', '@'])).count();
        assert_eq!(kept, old.split('\n').count(), "every old line is there");
        let many = |step: usize| -> String { lines((0..20_000).map(|n| (n * step) % 97)) };
        assert!(!unified(&many(3), &many(5)).is_empty());
    }
}

//! Two texts as a unified diff.

/// Lines of context around a change.
const CONTEXT: usize = 2;
/// More edits than this are not searched for the shortest way: what is left is shown as removed and added.
const MOST_EDITS: usize = 500;

/// The lines of a unified diff from `a` to `b`; none when they are equal.
pub fn unified(a: &str, b: &str, name_a: &str, name_b: &str) -> Vec<String> {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.lines().collect(), b.lines().collect());
    let script = edits(&a, &b);
    let mut out = Vec::new();
    for (from, to) in hunks(&script) {
        if out.is_empty() {
            out.extend([format!("--- {name_a}"), format!("+++ {name_b}")]);
        }
        let before = |side, until: usize| script[..until].iter().filter(|edit| edit.line_in(side).is_some()).count();
        let (old, new) = (before(Side::Old, from), before(Side::New, from));
        let range = |start: usize, length: usize| match length {
            0 => format!("{start},0"),
            1 => format!("{}", start + 1),
            n => format!("{},{n}", start + 1),
        };
        let (old_length, new_length) = (before(Side::Old, to) - old, before(Side::New, to) - new);
        out.push(format!("@@ -{} +{} @@", range(old, old_length), range(new, new_length)));
        out.extend(script[from..to].iter().map(|edit| match edit {
            Edit::Keep(line) => format!(" {line}"),
            Edit::Remove(line) => format!("-{line}"),
            Edit::Add(line) => format!("+{line}"),
        }));
    }
    out
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit<'a> {
    Keep(&'a str),
    Remove(&'a str),
    Add(&'a str),
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Old,
    New,
}

impl<'a> Edit<'a> {
    /// The line that one of the texts has here.
    fn line_in(self, side: Side) -> Option<&'a str> {
        match (self, side) {
            (Self::Keep(line), _) | (Self::Remove(line), Side::Old) | (Self::Add(line), Side::New) => Some(line),
            _ => None,
        }
    }
}

/// The ranges of `script` that are shown: each change with its context, those that touch as one.
fn hunks(script: &[Edit<'_>]) -> Vec<(usize, usize)> {
    let mut hunks = Vec::<(usize, usize)>::new();
    for at in (0..script.len()).filter(|at| !matches!(script[*at], Edit::Keep(_))) {
        let (from, to) = (at.saturating_sub(CONTEXT), (at + 1 + CONTEXT).min(script.len()));
        match hunks.last_mut() {
            Some(last) if from <= last.1 => last.1 = to,
            _ => hunks.push((from, to)),
        }
    }
    hunks
}

/// A shortest way from `a` to `b` (Myers' greedy algorithm).
fn edits<'a>(a: &[&'a str], b: &[&'a str]) -> Vec<Edit<'a>> {
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (rest_a, rest_b) = (&a[start..], &b[start..]);
    let end = rest_a.iter().rev().zip(rest_b.iter().rev()).take_while(|(a, b)| a == b).count();
    let (middle_a, middle_b) = (&rest_a[..rest_a.len() - end], &rest_b[..rest_b.len() - end]);
    let keep = |lines: &[&'a str]| lines.iter().map(|line| Edit::Keep(line)).collect::<Vec<_>>();
    let middle = shortest(middle_a, middle_b).unwrap_or_else(|| {
        middle_a.iter().map(|l| Edit::Remove(l)).chain(middle_b.iter().map(|l| Edit::Add(l))).collect()
    });
    [keep(&a[..start]), middle, keep(&rest_a[rest_a.len() - end..])].concat()
}

/// None when there are more than [`MOST_EDITS`].
fn shortest<'a>(a: &[&'a str], b: &[&'a str]) -> Option<Vec<Edit<'a>>> {
    let most = (a.len() + b.len()).min(MOST_EDITS);
    // furthest[k + most]: how far into `a` one gets on the diagonal k = (line of a) - (line of b).
    let mut furthest = vec![0_usize; 2 * most + 3];
    let index = |k: isize| (k + most as isize + 1) as usize;
    let mut rounds = Vec::new();
    for d in 0..=most as isize {
        rounds.push(furthest.clone());
        for k in (-d..=d).step_by(2) {
            let down = k == -d || (k != d && furthest[index(k - 1)] < furthest[index(k + 1)]);
            let mut x = if down { furthest[index(k + 1)] } else { furthest[index(k - 1)] + 1 };
            let mut y = (x as isize - k) as usize;
            while x < a.len() && y < b.len() && a[x] == b[y] {
                (x, y) = (x + 1, y + 1);
            }
            furthest[index(k)] = x;
            if x >= a.len() && y >= b.len() {
                return Some(backtrack(a, b, &rounds, &index));
            }
        }
    }
    None
}

fn backtrack<'a>(
    a: &[&'a str],
    b: &[&'a str],
    rounds: &[Vec<usize>],
    index: &impl Fn(isize) -> usize,
) -> Vec<Edit<'a>> {
    let (mut x, mut y) = (a.len(), b.len());
    let mut script = Vec::new();
    for (d, furthest) in rounds.iter().enumerate().rev() {
        let (d, k) = (d as isize, x as isize - y as isize);
        let down = k == -d || (k != d && furthest[index(k - 1)] < furthest[index(k + 1)]);
        let from = if down { k + 1 } else { k - 1 };
        let from_x = if d == 0 { 0 } else { furthest[index(from)] };
        let from_y = if d == 0 { 0 } else { (from_x as isize - from) as usize };
        while x > from_x && y > from_y {
            (x, y) = (x - 1, y - 1);
            script.push(Edit::Keep(a[x]));
        }
        if d > 0 {
            script.push(if down { Edit::Add(b[from_y]) } else { Edit::Remove(a[from_x]) });
        }
        (x, y) = (from_x, from_y);
    }
    script.reverse();
    script
}

#[cfg(test)]
mod tests {
    use super::{Side, edits, unified};

    #[test]
    fn a_difference_is_shown_with_two_lines_around_it() {
        let (a, b) = ("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12", "1\n2\n3\nfour\n5\n6\n7\n8\n9\n10\n11\n12\n13");
        let expected = [
            "--- upstream",
            "+++ this server",
            "@@ -2,5 +2,5 @@",
            " 2",
            " 3",
            "-4",
            "+four",
            " 5",
            " 6",
            "@@ -11,2 +11,3 @@",
            " 11",
            " 12",
            "+13",
        ];
        assert_eq!(unified(a, b, "upstream", "this server"), expected);
        assert_eq!(unified(a, a, "upstream", "this server"), [""; 0]);
        assert_eq!(unified("", "1", "a", "b"), ["--- a", "+++ b", "@@ -0,0 +1 @@", "+1"]);
    }

    #[test]
    fn applied_to_the_first_text_the_edits_give_the_second() {
        // All pairs of texts of up to four lines over three letters.
        let mut texts: Vec<Vec<&str>> = vec![Vec::new()];
        for from in 0.. {
            let Some(text) = texts.get(from).cloned().filter(|text| text.len() < 4) else { break };
            texts.extend(["a", "b", "c"].map(|line| [text.as_slice(), &[line]].concat()));
        }
        for a in &texts {
            for b in &texts {
                let script = edits(a, b);
                let side = |side| script.iter().filter_map(|edit| edit.line_in(side)).collect::<Vec<_>>();
                assert_eq!((side(Side::Old), side(Side::New)), (a.clone(), b.clone()));
            }
        }
    }
}

//! Where in an expression something is wrong, and how upstream shows it.

/// An error at a place of the expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// The place, in characters from the start; `None` for what concerns no place.
    pub offset: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// As cel-go: no more are shown.
const SHOWN: usize = 100;

/// The errors of an expression, as upstream shows them: by place, each with its line and a mark under the column.
pub fn display(expression: &str, mut issues: Vec<Issue>) -> String {
    let place = |issue: &Issue| issue.offset.map_or((0, 0), |offset| position(expression, offset));
    issues.sort_by_key(|issue| if issue.offset.is_some() { place(issue) } else { (0, 0) });
    let more = issues.len().saturating_sub(SHOWN);
    issues.truncate(SHOWN);
    let mut shown: Vec<String> = issues.iter().map(|issue| show(expression, issue)).collect();
    if more > 0 {
        shown.push(format!("{more} more errors were truncated"));
    }
    shown.join("\n")
}

/// The line, from 1, and the column, from 0, of a character.
fn position(expression: &str, offset: usize) -> (usize, usize) {
    let before = expression.chars().take(offset);
    before.fold((1, 0), |(line, column), char| if char == '\n' { (line + 1, 0) } else { (line, column + 1) })
}

fn show(expression: &str, issue: &Issue) -> String {
    let Some(offset) = issue.offset else {
        return format!("ERROR: <input>:-1:0: {}", issue.message);
    };
    let (line, column) = position(expression, offset);
    let text = expression.split('\n').nth(line - 1).unwrap_or_default().replace('\t', " ");
    let wide = |char: char| char.len_utf8() > 1;
    let mut mark: String = text.chars().take(column).map(|char| if wide(char) { '\u{ff0e}' } else { '.' }).collect();
    mark.push(if text.chars().nth(column).is_some_and(wide) { '\u{ff3e}' } else { '^' });
    format!("ERROR: <input>:{line}:{}: {}\n | {text}\n | {mark}", column + 1, issue.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_shown_by_place_with_their_line_and_a_mark_under_their_column() {
        let issue = |offset, message: &str| Issue { offset: Some(offset), message: message.to_owned() };
        let shown = display("é == a &&\n\tb", vec![issue(11, "second"), issue(5, "first")]);
        assert_eq!(
            shown,
            "ERROR: <input>:1:6: first\n | é == a &&\n | \u{ff0e}....^\nERROR: <input>:2:2: second\n |  b\n | .^"
        );
    }
}

//! Constants that are wrong whatever they are used with: durations, times, regular expressions, and lists and maps of
//! several types.

use std::collections::HashMap;

use regex::Regex;

use crate::ast::{Expr, Id, Kind, Literal};
use crate::checker::Checked;
use crate::functions;
use crate::source::Issue;
use crate::types::Type;

/// What is wrong with the constants of a tree, and the regular expressions among them by their call.
pub(crate) fn check(checked: &Checked) -> (Vec<Issue>, HashMap<Id, Regex>) {
    let (mut issues, mut regexes) = (Vec::new(), HashMap::new());
    let ast = &checked.ast;
    one_type(checked, &ast.root, &mut issues);
    ast.root.visit(&mut |expr| {
        let Kind::Call { function, arguments, .. } = &expr.kind else { return };
        let Some(Expr { id, kind: Kind::Literal(Literal::String(text)) }) = arguments.last() else { return };
        let wrong = match (&**function, arguments.len()) {
            ("duration", 1) => functions::time::parse_duration(text).is_none(),
            ("timestamp", 1) => functions::time::parse_date_time(text).is_none(),
            ("matches" | "find" | "findAll", _) => match functions::compile_pattern(text) {
                Ok(regex) => {
                    regexes.insert(expr.id, regex);
                    false
                }
                // Only `matches` is checked before it is evaluated.
                Err(_) => &**function == "matches",
            },
            _ => false,
        };
        if wrong {
            issues.push(Issue { offset: ast.offset(*id), message: format!("invalid {function} argument") });
        }
    });
    (issues, regexes)
}

/// Literals are of one type, but for what is given to `format`.
fn one_type(checked: &Checked, expr: &Expr, issues: &mut Vec<Issue>) {
    let mut same = |elements: &mut dyn Iterator<Item = (&Expr, bool)>| {
        let mut first: Option<&Type> = None;
        for (element, optional) in elements {
            let of = checked.type_of(element.id);
            let of = if optional { of.unwrap_optional().unwrap_or(of) } else { of };
            match first {
                None => first = Some(of),
                Some(first) if first.is_equivalent(of) => {}
                Some(first) => {
                    let message = format!("expected type '{first}' but found '{of}'");
                    issues.push(Issue { offset: checked.ast.offset(element.id), message });
                    return;
                }
            }
        }
    };
    match &expr.kind {
        Kind::Call { function, .. } if &**function == "format" => return,
        Kind::List { elements, optional } => {
            same(&mut elements.iter().enumerate().map(|(at, element)| (element, optional.contains(&at))));
        }
        Kind::Map(entries) => {
            same(&mut entries.iter().map(|entry| (&entry.key, false)));
            same(&mut entries.iter().map(|entry| (&entry.value, entry.optional)));
        }
        _ => {}
    }
    expr.children().into_iter().for_each(|child| one_type(checked, child, issues));
}

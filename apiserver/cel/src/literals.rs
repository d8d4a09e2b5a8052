//! Constants that are wrong whatever they are used with: durations, times, regular expressions, and lists and maps of
//! several types.

use crate::ast::{Expr, Kind, Literal};
use crate::checker::Checked;
use crate::functions;
use crate::interpreter::constant;
use crate::pattern;
use crate::source::Issue;
use crate::types::Type;

/// What is wrong with the constants of a tree.
pub(crate) fn check(checked: &Checked) -> Vec<Issue> {
    let mut issues = Vec::new();
    let ast = &checked.ast;
    one_type(checked, &ast.root, &mut issues);
    ast.root.visit(&mut |expr| {
        let Kind::Call { function, arguments, .. } = &expr.kind else { return };
        let wrong = |id, subject: &str| Issue { offset: ast.offset(id), message: format!("invalid {subject}") };
        match (&**function, arguments.as_slice()) {
            ("duration" | "timestamp", [Expr { id, kind: Kind::Literal(literal) }]) => {
                let made = functions::call(function, "", false, &[constant(literal)], None);
                if made.is_err() {
                    issues.push(wrong(*id, &format!("{function} argument")));
                }
            }
            ("matches", [Expr { id, kind: Kind::Literal(Literal::String(text)) }, ..])
                if pattern::compile(text).is_err() =>
            {
                issues.push(wrong(*id, "matches argument"));
            }
            _ => {}
        }
    });
    issues
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

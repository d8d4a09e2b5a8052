use super::*;
use crate::source;

fn errors(text: &str) -> String {
    match parse(text) {
        Ok(_) => String::new(),
        Err(issues) => source::display(text, issues),
    }
}

#[test]
fn what_cannot_be_read_is_told_in_upstreams_words_at_its_place() {
    let operand = |at: &str, found: &str| {
        format!("ERROR: <input>:{at}: Syntax error: mismatched input '{found}' expecting {OPERAND}")
    };
    let cases: [(&str, Vec<String>); 12] = [
        ("self.a ==", vec![operand("1:10", "<EOF>")]),
        ("(self.n > 1", vec!["ERROR: <input>:1:12: Syntax error: missing ')' at '<EOF>'".to_owned()]),
        (
            "*@a | b",
            vec![
                format!("ERROR: <input>:1:1: Syntax error: extraneous input '*' expecting {OPERAND}"),
                "ERROR: <input>:1:2: Syntax error: token recognition error at: '@'".to_owned(),
                "ERROR: <input>:1:5: Syntax error: token recognition error at: '| '".to_owned(),
                "ERROR: <input>:1:7: Syntax error: extraneous input 'b' expecting <EOF>".to_owned(),
            ],
        ),
        ("1 + +", vec![operand("1:5", "+"), operand("1:6", "<EOF>")]),
        ("1 + 2\n3 +", vec!["ERROR: <input>:2:1: Syntax error: mismatched input '3' expecting <EOF>".to_owned()]),
        (
            "{\"a\": 1}.\"a\"",
            vec!["ERROR: <input>:1:10: Syntax error: no viable alternative at input '.\"a\"'".to_owned()],
        ),
        ("0xFFFFFFFFFFFFFFFFF", vec!["ERROR: <input>:1:1: invalid int literal".to_owned()]),
        ("as", vec!["ERROR: <input>:1:1: reserved identifier: as".to_owned()]),
        ("has(m)", vec!["ERROR: <input>:1:5: invalid argument to has() macro".to_owned()]),
        ("m.filter(a.b, false)", vec!["ERROR: <input>:1:11: argument is not an identifier".to_owned()]),
        (
            "m.map(__result__, 1)",
            vec!["ERROR: <input>:1:7: iteration variable overwrites accumulator variable".to_owned()],
        ),
        ("m.all(x, x, true)", vec!["ERROR: <input>:1:10: duplicate variable name: x".to_owned()]),
    ];
    for (text, expected) in cases {
        let told: Vec<String> =
            errors(text).lines().filter(|line| line.starts_with("ERROR")).map(str::to_owned).collect();
        assert_eq!(told, expected, "{text}");
    }
}

#[test]
fn expressions_that_stand_too_deep_are_refused() {
    let limit = "expression recursion limit exceeded: 250";
    let depth = "max recursion depth exceeded";
    let size = "expression code point size exceeds limit: size: 100001, limit 100000";
    // What stands right of an operator counts twice: as what the operator is of, and as itself.
    let right = |levels: usize| "1==(".repeat(levels) + "1" + &")".repeat(levels);
    for (text, want) in [
        ("[".repeat(250) + &"]".repeat(250), ""),
        ("[".repeat(251) + &"]".repeat(251), limit),
        ("(".repeat(300), limit),
        ("a.".repeat(250) + "a", ""),
        ("a.".repeat(251) + "a", depth),
        ("1+".repeat(250) + "1", ""),
        ("1+".repeat(251) + "1", depth),
        ("a.b==".repeat(249) + "a.b", ""),
        ("a.b==".repeat(250) + "a.b", depth),
        ("a".to_owned() + &"[1]".repeat(251), depth),
        ("1?1:".repeat(249) + "1", ""),
        (right(124), ""),
        (right(125), limit),
        ("[".repeat(100_001), size),
    ] {
        let (text, told) = with_room(move || (text.clone(), errors(&text)));
        let told = told.lines().next().unwrap_or_default();
        let want = if want.is_empty() { String::new() } else { format!("ERROR: <input>:-1:0: {want}") };
        assert_eq!(told, want, "{} of {}", &text[..text.len().min(10)], text.len());
    }
    assert_eq!(errors(&("a&&".repeat(5000) + "a")), "", "chains of && are no depth");
}

/// Runs where there is more stack than a test has: a server's threads have 256 MiB.
fn with_room<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(32 << 20).spawn(work).unwrap().join().unwrap()
}

#[test]
fn strings_and_numbers_have_their_values() {
    let cases = [
        ("'a\\nb'", Literal::String("a\nb".into())),
        ("r'a\\n'", Literal::String("a\\n".into())),
        ("'''a'b'''", Literal::String("a'b".into())),
        ("\"\\u00e9\\x41\\101\"", Literal::String("éAA".into())),
        ("b'\\xff'", Literal::Bytes([255].into())),
        ("''", Literal::String("".into())),
        ("-9223372036854775808", Literal::Int(i64::MIN)),
        ("0x1F", Literal::Int(31)),
        ("7u", Literal::Uint(7)),
        ("1e3", Literal::Double(1000.0)),
        (".5", Literal::Double(0.5)),
    ];
    for (text, value) in cases {
        match parse(text).map(|ast| ast.root.kind) {
            Ok(Kind::Literal(literal)) => assert_eq!(literal, value, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn macros_that_double_their_operand_come_to_an_end() {
    let mut text = "optional.of(1)".to_owned();
    (0..60).for_each(|_| text.push_str(".optMap(x, x)"));
    let issues = parse(&text).expect_err("it would be two to the sixtieth");
    assert!(issues.iter().any(|issue| issue.message.contains("expand to too much")), "{}", issues.len());
}

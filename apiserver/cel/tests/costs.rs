//! What expressions cost when they are evaluated: to the unit what kube-apiserver counts, as its budgets depend on it.

#![allow(clippy::unwrap_used)] // in a test, a failure is a panic

use cel::{DeclType, Program, Variables, Wanted};
use serde_json::{Value, json};

fn schema() -> Value {
    let string = json!({"type": "string"});
    json!({"type": "object", "properties": {
        "s": string,
        "n": {"type": "integer"},
        "d": {"type": "string", "format": "duration"},
        "x": {"x-kubernetes-int-or-string": true},
        "m": {"type": "object", "additionalProperties": {"type": "integer"}},
        "l": {"type": "array", "items": {"type": "integer"}},
        "o": {"type": "object", "properties": {"a": string, "b": string}},
        "os": {"type": "array", "items": {"type": "object", "properties": {"k": string, "v": string}}},
    }})
}

fn object() -> Value {
    json!({
        "s": "a string of text", "n": 7, "d": "90s", "x": 1, "m": {"a": 1, "b": 2}, "l": [0, 1, 2, 3, 4],
        "o": {"a": "x"}, "os": [{"k": "1"}, {"k": "2", "v": "z"}],
    })
}

#[test]
fn evaluation_costs_what_upstream_counts() {
    let cases = [
        // A name or a chain costs one for where it begins, and one for each part looked up.
        ("self.n == 7", 3),
        ("self.o.a == 'x'", 4),
        ("has(self.o)", 1),
        ("has(self.o.a)", 2),
        // Types, conversions of constants, and lists and maps of constants are made once.
        ("type(self.n) == int", 4),
        ("self.d == duration('90s')", 3),
        ("self.n < int(8.5)", 3),
        ("self.l == [0, 1, 2, 3, 4]", 3),
        ("self.m == {'a': 1, 'b': 2}", 3),
        ("[self.n, 1] == [7, 1]", 13),
        ("{'k': self.n} == {'k': 7}", 33),
        // Membership in a list of constants is looked up.
        ("self.s in ['a string of text', 'b']", 2),
        ("self.n in self.l", 9),
        // A choice costs what is chosen, without where that begins.
        ("(self.n > 1 ? self.s : self.o.a) == 'x'", 5),
        ("type(self.x) == int ? self.x == 1 : self.x == '25%'", 7),
        // An index is part of the chain.
        ("self.l[2] == 2", 4),
        ("self.m['a'] == 1", 4),
        ("self.l[self.n - 6] == 1", 7),
        ("self.m.all(k, self.m[k] > 0)", 17),
        // What need not be there costs where it is.
        ("self.o.?b == optional.none()", 4),
        ("self.o.?a.orValue('v') == 'x'", 4),
        ("optional.of('a').optMap(v, v == 'value').hasValue()", 8),
        ("optional.none().or(optional.of('a')).hasValue()", 3),
        // Loops make their first value when it is asked for; one made of constants is made already.
        ("self.l.exists_one(e, e > 3)", 16),
        ("self.os.filter(o, has(o.v) && o.v == 'z').size() == 1", 23),
        // An error that is outweighed has cost what was looked at.
        ("self.os.exists(o, o.v == 'z')", 17),
        // What extensions say of their own functions.
        ("lists.range(4) == [0, 1, 2, 3]", 16),
        ("[4, 3, 2, 1].sort() == [1, 2, 3, 4]", 44),
        ("['d', 'a', 'b', 'c'].sort() == ['a', 'b', 'c', 'd']", 45),
        ("[1, 2, 3, 4].slice(1, 3) == [2, 3]", 14),
        ("[-3, 1, -5, -2, 4].sortBy(e, -(e * e)) == [-5, 4, -3, -2, 1]", 145),
        ("sets.contains(self.l, [1])", 8),
        ("sets.equivalent(self.l, [0, 1, 2, 3, 4])", 53),
    ];
    let decl = DeclType::of_schema(&schema(), "selfType", false).unwrap();
    let variables = Variables::default().with("self", &decl);
    let object = object();
    let mut wrong = Vec::new();
    for (rule, cost) in cases {
        let program =
            Program::compile(rule, &variables, Wanted::Bool).unwrap_or_else(|error| panic!("{rule}: {error:?}"));
        let outcome = program.test(&[("self", &object)], u64::MAX);
        if outcome.cost != cost || outcome.value.is_err() {
            wrong.push(format!("{rule}: {} instead of {cost}, {:?}", outcome.cost, outcome.value));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Costs do not say how long a loop takes that grows a list or a map: that it does so in place does.
#[test]
fn loops_grow_their_lists_and_maps_in_place() {
    let decl = DeclType::of_schema(&schema(), "selfType", false).unwrap();
    let variables = Variables::default().with("self", &decl);
    let object = json!({"l": (0..200_000).collect::<Vec<_>>()});
    for rule in [
        "self.l.map(e, e).size() == 200000",
        "self.l.transformMap(i, e, e).size() == 200000",
        "self.l.filter(e, e in [1, 2, 3]).size() == 3",
    ] {
        let program = Program::compile(rule, &variables, Wanted::Bool).unwrap();
        let outcome = program.test(&[("self", &object)], u64::MAX);
        assert_eq!(outcome.value, Ok(true), "{rule}");
    }
}

#[test]
fn a_constant_that_cannot_be_converted_is_refused_before_evaluation() {
    let decl = DeclType::of_schema(&schema(), "selfType", false).unwrap();
    let variables = Variables::default().with("self", &decl);
    for (rule, why) in [
        ("int('x') == self.n", "type conversion error from 'string' to 'int'"),
        ("self.s.find(')') == ''", "error parsing regexp: unexpected ): `)`"),
        ("self.s.findAll(')', 1) == []", "error parsing regexp: unexpected ): `)`"),
        ("[int].all(t, t == int)", "reference to undefined type: t"),
    ] {
        let error = Program::compile(rule, &variables, Wanted::Bool).err();
        assert_eq!(error, Some(cel::CompileError::Instantiation(why.to_owned())), "{rule}");
    }
}

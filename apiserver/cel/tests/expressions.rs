//! Expressions over values seen through a schema: what they come to, what is wrong with them, what they cost.

#![allow(clippy::unwrap_used)] // in a test, a failure is a panic

use cel::{CompileError, DeclType, PER_CALL_LIMIT, Program, Variables, Wanted};
use serde_json::{Value, json};

fn variables(schema: &Value) -> Variables {
    let decl = DeclType::of_schema(schema, "selfType", false).expect("a schema that expressions can see");
    Variables::default().with("self", &decl).with("oldSelf", &decl)
}

fn test(schema: &Value, value: &Value, rule: &str) -> Result<bool, String> {
    let program = Program::compile(rule, &variables(schema), Wanted::Bool).map_err(|error| format!("{error:?}"))?;
    program.test(&[("self", value)], PER_CALL_LIMIT).value.map_err(|error| error.message)
}

fn string() -> Value {
    json!({"type": "string"})
}

#[test]
fn the_language_and_its_libraries_answer_as_upstream() {
    let holds = [
        "self.size() == 12 && self.indexOf('l', 3) == 3 && self.lastIndexOf('l') == 10",
        "self.split(', ') == ['Hello', 'World'] && self.split('').size() == 12",
        "self.matches('^[A-Z].*d$') && self.findAll('[a-z]+') == ['ello', 'orld'] && self.find('[0-9]') == ''",
        "int('42') + 1 == 43 && int(2.9) == 2 && -7 / 2 == -3 && -7 % 2 == -1",
        "1 < 1.5 && 2u > 1 && dyn(1) == dyn(1.0) && dyn(self) != dyn(1)",
        "string(1.0) == '1' && string(1.5e10) == '1.5e+10' && string(duration('1h30m')) == '5400s'",
        "'%s is %d'.format(['x', 42]) == 'x is 42' && '%.2f'.format([2.5]) == '2.50'",
        "[1, 2, 3].map(x, x * 2).filter(x, x > 2) == [4, 6] && [1, 2, 3].exists_one(x, x == 2)",
        "{'a': 1, 'b': 2}.transformMap(k, v, v + 1) == {'a': 2, 'b': 3}",
        "[3, 1, 2].sort() == [1, 2, 3] && ['b', 'a'].sortBy(x, x) == ['a', 'b'] && [1, 1].distinct() == [1]",
        "optional.of(1).optMap(x, x + 1).value() == 2 && optional.none().orValue(3) == 3",
        "{'a': 1}[?'b'].orValue(0) == 0 && {'a': 1}.?a.hasValue()",
        "sets.contains([1, 2], [2]) && [1, 2].sum() == 3 && ['a', 'b'].join('-') == 'a-b'",
        "quantity('1Gi').asInteger() == 1073741824 && quantity('1k').sub(1).asInteger() == 999",
        "ip('::1').family() == 6 && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && !isIP('01.2.3.4')",
        "url('https://[::1]:80/a?x=1').getPort() == '80' && !isURL('../rel')",
        "semver('1.0.0-rc.1').isLessThan(semver('1.0.0')) && semver('v01.2', true) == semver('1.2.0')",
        "timestamp('2024-03-04T05:06:07Z').getHours('Europe/Paris') == 6",
        "string(timestamp('2024-03-04T05:06:07.01+01:00')) == '2024-03-04T05:06:07.01+01:00'",
        "string(timestamp('2024-03-04T05:06:07-00:00') + duration('1s')) == '2024-03-04T05:06:08Z'",
        "optional.ofNonZeroValue(timestamp('0001-01-01T00:00:00Z')) == optional.none()",
        "timestamp('2024-03-04T05:06:07Z') - timestamp('2024-03-04T05:06:00Z') == duration('7s')",
        "format.dns1123Label().validate('Bad').hasValue() && !format.named('nope').hasValue()",
        "true || 1 / 0 == 1",
        "[0, 1].exists(x, 1 / x == 1)",
    ];
    for rule in holds {
        assert_eq!(test(&string(), &json!("Hello, World"), rule), Ok(true), "{rule}");
    }
}

#[test]
fn what_goes_wrong_is_told_in_cel_gos_words() {
    let object = json!({"type": "object", "properties": {"a": {"type": "integer"}, "n": {"type": "object", "nullable": true, "properties": {"x": string()}}}});
    let cases = [
        (string(), json!("x"), "int(self) > 0", "type conversion error from 'string' to 'int'"),
        (string(), json!("x"), "self.substring(5) == ''", "index out of range: 5"),
        (string(), json!("("), "'abc'.matches(self)", "error parsing regexp: missing closing ): `(`"),
        (
            string(),
            json!("x"),
            "ip(self).family() == 4",
            "IP Address \"x\" parse error during conversion from string: ParseAddr(\"x\"): unable to parse IP",
        ),
        (json!({"type": "integer"}), json!(0), "10 / self > 1", "division by zero"),
        (json!({"type": "integer"}), json!(i64::MAX), "self + 1 > 0", "integer overflow"),
        (json!({"type": "array", "items": string()}), json!([]), "self[3] == ''", "index out of bounds: 3"),
        (object.clone(), json!({}), "self.a > 1", "no such key: a"),
        (object.clone(), json!({"n": null}), "self.n.x == ''", "no such key: n"),
        (json!({"x-kubernetes-int-or-string": true}), json!("x"), "self > 5", "no such overload"),
        (object, json!({}), "self.?a.value() > 1", "optional.none() dereference"),
    ];
    for (schema, value, rule, message) in cases {
        assert_eq!(test(&schema, &value, rule), Err(message.to_owned()), "{rule} of {value}");
    }
}

#[test]
fn names_and_types_are_checked_before_anything_is_evaluated() {
    let schema = json!({"type": "object", "properties": {"a": string(), "n": {"type": "integer"}}});
    let cases = [
        ("a == 'x'", "1:1: undeclared reference to 'a' (in container '')"),
        ("self.nope == 'x'", "1:5: undefined field 'nope'"),
        ("self.a > 5", "1:8: found no matching overload for '_>_' applied to '(string, int)'"),
        ("self.a.shout() == 'A'", "1:13: undeclared reference to 'shout' (in container '')"),
        ("self.a.matches('(')", "1:16: invalid matches argument"),
        ("duration('1 hour') > duration('1s')", "1:10: invalid duration argument"),
        ("[1, 'a'].size() == 2", "1:5: expected type 'int' but found 'string'"),
        (
            "self.n.all(x, true)",
            "1:5: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)",
        ),
    ];
    for (rule, message) in cases {
        match Program::compile(rule, &variables(&schema), Wanted::Bool) {
            Err(CompileError::Invalid(told)) => {
                let first = told.lines().next().unwrap_or_default();
                assert_eq!(first.strip_prefix("ERROR: <input>:"), Some(message), "{rule}");
            }
            other => panic!("{rule}: {other:?}"),
        }
    }
    let number = Program::compile("self.n + 1", &variables(&schema), Wanted::Bool);
    assert!(matches!(number, Err(CompileError::WrongType)), "{number:?}");
}

#[test]
fn a_rule_that_costs_too_much_is_ended() {
    let schema = json!({"type": "array", "items": {"type": "integer"}});
    let value: Value = (0..2000).collect::<Vec<i64>>().into();
    let rule = "self.all(x, self.all(y, x != y || x == y))";
    let program = Program::compile(rule, &variables(&schema), Wanted::Bool).unwrap();
    let outcome = program.test(&[("self", &value)], PER_CALL_LIMIT);
    let error = outcome.value.unwrap_err();
    assert!(error.cancelled && error.message == "operation cancelled: actual cost limit exceeded", "{error:?}");
    assert!(outcome.cost > PER_CALL_LIMIT && outcome.cost < PER_CALL_LIMIT + 1000, "{}", outcome.cost);
}

#[test]
fn costs_are_bounded_by_what_the_schema_bounds() {
    let cost =
        |schema: Value, rule: &str| Program::compile(rule, &variables(&schema), Wanted::Bool).unwrap().estimated_cost();
    let integers = |max: u64| json!({"type": "array", "maxItems": max, "items": {"type": "integer"}});
    assert_eq!(cost(json!({"type": "integer"}), "true"), 0);
    // A comparison of numbers costs one beside the variable.
    assert_eq!(cost(json!({"type": "integer"}), "self < 10"), 2);
    let (ten, hundred) = (cost(integers(10), "self.all(x, x > 0)"), cost(integers(100), "self.all(x, x > 0)"));
    let each = (hundred - ten) / 90;
    assert_eq!(hundred, ten + 90 * each, "linear in the length of the list");
    let unbounded = json!({"type": "array", "items": {"type": "integer"}});
    assert!(cost(unbounded, "self.all(x, self.all(y, x == y))") > 1_000_000_000_000);
    assert_eq!(cost(json!({"type": "string", "maxLength": 10}), "self.contains('a')"), 1 + 4);
}

#[test]
fn lists_of_an_object_stay_the_kind_of_list_that_they_are() {
    let item = json!({"type": "object", "properties": {"k": string(), "v": string()}});
    let list =
        json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": item});
    let schema = json!({"type": "object", "properties": {
        "maps": {"type": "array", "items": list},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": string()},
    }});
    let value = json!({
        "maps": [[{"k": "a", "v": "1"}, {"k": "b", "v": "2"}], [{"k": "b", "v": "2"}, {"k": "a", "v": "1"}]],
        "set": ["a", "b"],
    });
    for rule in [
        "self.maps[0] == self.maps[1] && self.maps[0] + self.maps[1] == self.maps[1]",
        "self.maps[0] + [self.maps[0][1], self.maps[0][0]] == self.maps[1]",
        "self.set == ['b', 'a'] && (self.set + ['b', 'c']).size() == 3",
        "self.set + ['c'] == ['c', 'b', 'a']",
    ] {
        assert_eq!(test(&schema, &value, rule), Ok(true), "{rule}");
    }
}

#[test]
fn data_that_does_not_fit_its_schema_is_named() {
    let field = |of: Value| json!({"type": "object", "properties": {"f": of}});
    let list = json!({"type": "array", "items": string()});
    for (schema, value, why) in [
        (json!({"type": "integer"}), json!(1.0), "invalid data, expected int, got float64"),
        (
            json!({"x-kubernetes-int-or-string": true}),
            json!(1.5),
            "invalid data, expected XIntOrString value to be either a string or integer",
        ),
        (list.clone(), json!({}), "invalid data, expected an array for the provided schema with type=array"),
        (field(string()), json!([]), "invalid data, expected a map for the provided schema with type=object"),
        (string(), json!(true), "invalid data, expected string, got bool"),
    ] {
        assert_eq!(test(&field(schema), &json!({"f": value}), "self.f == self.f"), Err(why.to_owned()), "{value}");
    }
    let why = "invalid data, got null for schema with nullable=false";
    assert_eq!(test(&list, &json!([null]), "self[0] == 'x'"), Err(why.to_owned()));
    let list = json!({"type": "array", "items": {"type": "string", "nullable": true}});
    assert_eq!(test(&list, &json!([null]), "type(self[0]) == null_type"), Ok(true));
}

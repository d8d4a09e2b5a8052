use super::*;
use serde_json::json;

fn object() -> Value {
    json!({
        "metadata": {"name": "x", "labels": {"a.b/c": "dotted", "a": {"b/c": "nested"}}},
        "spec": {"n": 3, "f": 1.5, "s": "ab", "none": null, "empty": [], "map": {"k": 1, "l": 2},
            "list": [{"k": "a", "v": 1, "in": [1]}, {"k": "b", "v": 2, "in": []}, {"k": "c", "v": 3}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
    })
}

#[test]
fn paths_find_what_kubectl_finds() {
    let object = object();
    for (path, expected) in [
        (".metadata.name", json!(["x"])),
        ("{.metadata.name}", json!(["x"])),
        ("$.metadata.name", json!(["x"])),
        (".spec.absent", json!([])),
        (".spec.none", json!([null])),
        (".spec.none.below", json!([])),
        (".spec.s.below", json!([])),
        (".spec.list[0].k", json!(["a"])),
        (".spec.list[-1].k", json!(["c"])),
        (".spec.list[-2].k", json!(["b"])),
        (".spec.list[].k", json!(["a"])),
        (".spec.list[*].v", json!([1, 2, 3])),
        (".spec.list[1:].v", json!([2, 3])),
        (".spec.list[:-1].v", json!([1, 2])),
        (".spec.list[::2].v", json!([1, 3])),
        (".spec.list[1:1].v", json!([])),
        (".spec.list[0,2].v", json!([1, 3])),
        (".spec['n', 'f']", json!([3, 1.5])),
        (".spec.map.*", json!([1, 2])),
        (".spec.s.*", json!([97, 98])),
        // The dots of a name are escaped, or part two names; also in brackets.
        (r".metadata.labels.a\.b/c", json!(["dotted"])),
        (r".metadata.labels['a\.b/c']", json!(["dotted"])),
        (".metadata.labels['a.b/c']", json!(["nested"])),
        (".spec.['n']", json!([])),
        (r#".status.conditions[?(@.type=="Ready")].status"#, json!(["True"])),
        (".status.conditions[?(@.type == 'Other')].status", json!(["False"])),
        (".status.conditions[?(@.type=='Nope')].status", json!([])),
        (".status.conditions[?(@.type!='Nope')].type", json!(["Ready", "Other"])),
        (".spec.list[?(@.v>1)].k", json!(["b", "c"])),
        (".spec.list[?(@.v<=1)].k", json!(["a"])),
        (".spec.list[?(@.in)].k", json!(["a", "b"])),
        (".spec.list[?(@.absent=='x')].k", json!([])),
        ("..k", json!(["a", "b", "c", 1])),
        (
            ".status..",
            json!([
            {"conditions": [{"status": "True", "type": "Ready"}, {"status": "False", "type": "Other"}]},
            [{"status": "True", "type": "Ready"}, {"status": "False", "type": "Other"}],
            {"status": "True", "type": "Ready"}, "True", "Ready",
            {"status": "False", "type": "Other"}, "False", "Other"]),
        ),
        (".spec.n 5", json!([5])),
        (".spec.n true", json!([true])),
        (r#".spec.absent "\x41\u00e9\n""#, json!(["Aé\n"])),
        (".spec.n} and {.spec.f", json!([3])),
    ] {
        let read = Path::parse(path).unwrap_or_else(|| panic!("{path}"));
        let found: Vec<Value> = read.all(&object).into_iter().cloned().collect();
        assert_eq!(read.first(&object), found.first(), "{path}");
        assert_eq!(Value::from(found), expected, "{path}");
    }
}

#[test]
fn a_search_that_fails_anywhere_finds_nothing() {
    let object = object();
    for path in [
        ".spec.list[7].v",
        ".spec.list[2:9].v",
        ".spec.list[2:1].v",
        ".spec.list[::0].v",
        ".spec.list[*].in[0]",
        ".spec.map[*]",
        ".spec.s[0]",
        ".spec.map[?(@.k)]",
        ".spec.none[?(@.k)]",
        ".spec.list[?(@.v=='1')].k",
        ".spec.list[?(@.v==1.0)].k",
        ".spec.list[?(@.v=1)].k",
        ".spec.list[?(k=='a')].k",
        ".status.conditions[?(@.type==Ready)].status",
        ".spec.n word",
    ] {
        let read = Path::parse(path).unwrap_or_else(|| panic!("{path}"));
        assert_eq!((read.first(&object), read.all(&object)), (None, vec![]), "{path}");
    }
}

#[test]
fn a_path_that_cannot_be_read_or_is_too_long_is_none() {
    let nested = format!("{}@.a{}", "[?(".repeat(9), ")]".repeat(9));
    for path in [
        ".spec.list[",
        ".spec.list]",
        ".list[a]",
        ".list[\"a\"]",
        ".list['a]",
        ".list['a','b'c]",
        ".list[-]",
        ".list[1:2:3:4]",
        ".a....b",
        "..*",
        ".a,b",
        ".a\tb",
        ".a\n",
        ".a \"b",
        r#".a "\q""#,
        ".a 1.2.3",
        ".c[?(@.a==\"b\" && @.c==\"d\")]",
        ".c[?(@.a==\"b\"]",
        ".c[?(@.a==\"b\")",
        &".a".repeat(257),
        &nested,
    ] {
        assert!(Path::parse(path).is_none(), "{path}");
    }
    // Bounded by what is written, not by the stack.
    assert!(Path::parse(&"[?(@".repeat(50_000)).is_none());
    assert!(Path::parse(&format!("{}{}", "[?(@".repeat(50_000), ")]".repeat(50_000))).is_none());
}

#[test]
fn a_search_ends_whatever_the_path() {
    let deep = (0..100).fold(json!(1), |inner, _| json!({"a": inner}));
    let path = Path::parse(&"..a".repeat(80)).unwrap();
    assert!(path.all(&deep).len() < MAX_VISITS);
    assert!(Path::parse(&format!("{}.none", "..a".repeat(30))).unwrap().first(&deep).is_none());
}

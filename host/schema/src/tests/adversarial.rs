//! Schemas that are as slow as they can be and still accepted, or would be without the bounds.

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use ophost_document::Budget;

use crate::{CheckError, Schema, Violations};

/// Checks a value without a limit.
pub(crate) fn check(schema: &Schema, value: &Value) -> Result<(), Violations> {
    match schema.check(value, &Budget::unlimited()) {
        Ok(()) => Ok(()),
        Err(CheckError::Violations(violations)) => Err(violations),
        Err(CheckError::Interrupted(why)) => panic!("{why}"),
        Err(CheckError::Thread(error)) => panic!("{error}"),
    }
}

/// A chain of definitions `0` to `count`, each of which applies the next as `link` says.
pub(crate) fn chain(count: usize, link: impl Fn(Value) -> Value, last: Value) -> Value {
    let mut all = Map::new();
    for place in 0..count {
        let next = json!({"$ref": format!("#/$defs/{}", place + 1)});
        all.insert(place.to_string(), link(next));
    }
    all.insert(count.to_string(), last);
    json!({"$ref": "#/$defs/0", "$defs": all})
}

/// An object in an object, that many levels deep.
pub(crate) fn nested(levels: usize, inner: Value) -> Value {
    (1..levels).fold(inner, |inner, _| json!({"x": inner}))
}

/// A schema, and a value of at most a MiB.
type Attack = (String, Value, Value);

fn attack(name: &str, schema: Value, value: &Value) -> Attack {
    (name.to_owned(), schema, value.clone())
}

/// The value with the most parts that a MiB can have.
fn ones() -> Value {
    json!(vec![1; 500_000])
}

/// Refers to the whole from a part, for chains.
fn again() -> Value {
    json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/0"}}})
}

fn many_keywords() -> Vec<Attack> {
    let parts = [
        ("maximum", json!({"maximum": 9})),
        ("anyOf", json!({"anyOf": [{"minimum": 2}, {"maximum": 9}]})),
        ("oneOf", json!({"oneOf": [{"minimum": 2}, {"maximum": 9}]})),
        ("not", json!({"not": {"minimum": 2}})),
        ("not anyOf", json!({"not": {"anyOf": vec![json!({"minimum": 2}); 4]}})),
        ("wrong type", json!({"type": "string"})),
        ("wrong anyOf", json!({"anyOf": [{"minimum": 2}, {"type": "string"}]})),
    ];
    let mut attacks = vec![attack("wrong type", json!({"items": {"type": "string"}}), &ones())];
    let half = json!(vec![1; 250_000]);
    attacks.push(attack("half of that", json!({"items": {"type": "string"}}), &half));
    for count in [2, 8, 16, 24, 32, 48, 64, 128] {
        for (name, part) in &parts {
            let schema = json!({"items": {"allOf": vec![part; count]}});
            attacks.push(attack(&format!("{name} x {count}"), schema, &ones()));
        }
        let contains = json!({"contains": {"const": 2}, "minContains": 0});
        let schema = json!({"allOf": vec![contains; count]});
        attacks.push(attack(&format!("contains x {count}"), schema, &ones()));
    }
    attacks
}

/// How one definition of a chain applies the next.
type Link = fn(Value) -> Value;

fn deep_paths() -> Vec<Attack> {
    let deepest = nested(127, json!(1));
    let links: [(&str, Link); 5] = [
        ("anyOf", |next| json!({"anyOf": [next, false]})),
        ("if", |next| json!({"if": next, "then": next})),
        ("allOf", |next| json!({"allOf": [next, next]})),
        ("oneOf", |next| json!({"oneOf": [next, {"type": "null"}]})),
        ("parts", |next| {
            let part = json!({"properties": {"x": next}});
            json!({"anyOf": [part, part]})
        }),
    ];
    let mut attacks = Vec::new();
    for (name, link) in links {
        for count in [2, 4, 8, 10, 12, 15, 20] {
            let schema = chain(count, link, again());
            attacks.push(attack(&format!("deep {name} x {count}"), schema, &deepest));
        }
    }
    attacks
}

/// Text in which a pattern that begins with `a` goes far before it fails.
fn mixed() -> String {
    let letter = |place: u32| match place.wrapping_mul(2_654_435_761) >> 27 {
        31 => 'c',
        bits if bits & 1 == 0 => 'a',
        _ => 'b',
    };
    (0..1 << 20).map(letter).collect()
}

fn texts() -> Vec<Attack> {
    let mixed = mixed();
    let words = json!(vec![mixed[..30].to_owned(); 30_000]);
    let text = json!(mixed);
    let mut attacks = Vec::new();
    for count in [12, 50, 200, 800] {
        let name = format!("pattern of {count}");
        attacks.push(attack(&name, json!({"pattern": format!("a[ab]{{{count}}}c")}), &text));
        attacks.push(attack(&name, json!({"pattern": format!("[ab]*a[ab]{{{count}}}c")}), &text));
    }
    let schema = json!({"items": {"allOf": vec![json!({"pattern": "a[ab]{28}c"}); 8]}});
    attacks.push(attack("pattern of words", schema, &words));
    let formats = [
        ("uri", "a"),
        ("regex", "(a)"),
        ("email", "a."),
        ("hostname", "a."),
        ("date-time", "1"),
        ("uri-template", "{a}"),
        ("json-pointer", "/a"),
        ("ipv6", "1:"),
    ];
    for (format, unit) in formats {
        let schema =
            json!({"$schema": "http://json-schema.org/draft-07/schema#", "format": format});
        attacks.push(attack(format, schema, &json!(unit.repeat((1 << 20) / unit.len()))));
    }
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "contentEncoding": "base64",
        "contentMediaType": "application/json",
    });
    attacks.push(attack("content", schema, &json!("WzFd".repeat(1 << 18))));
    attacks
}

fn members() -> Vec<Attack> {
    let empty = json!(vec![json!({}); 300_000]);
    let keys: Map<_, _> = (0..90_000).map(|key| (key.to_string(), json!(1))).collect();
    let keys = Value::Object(keys);
    let names: Vec<_> = (0..2_000).map(|name| format!("p{name}")).collect();
    let properties: Map<_, _> =
        names.iter().map(|name| (name.clone(), json!({"type": "null"}))).collect();
    let patterns: Map<_, _> = (0..30).map(|place| (format!("^a{place}"), json!({}))).collect();
    let short = json!({"allOf": vec![json!({"maxLength": 9}); 20]});
    let seen = json!({"properties": {"1": true}});
    let marked = json!({"allOf": vec![seen; 20], "unevaluatedProperties": {"type": "number"}});
    vec![
        attack("required", json!({"items": {"required": names}}), &empty),
        attack("few required", json!({"items": {"required": names[..20]}}), &empty),
        attack("properties", json!({"items": {"properties": properties}}), &empty),
        attack("patternProperties", json!({"patternProperties": patterns}), &keys),
        attack("propertyNames", json!({"propertyNames": short}), &keys),
        attack("unevaluatedProperties", marked, &keys),
        attack("unknown fields", json!({"additionalProperties": false}), &keys),
    ]
}

fn items() -> Vec<Attack> {
    let unique = json!({"uniqueItems": true, "items": {"uniqueItems": true}});
    let options: Vec<_> = (0..2_000).map(|place| json!({"a": place})).collect();
    let numbers: Vec<_> = (0..9_000).map(|place| json!(place + 2)).collect();
    let distinct: Vec<_> = (0..100_000).map(|place| json!([place])).collect();
    vec![
        attack("uniqueItems", unique.clone(), &json!(vec![json!([1, 2, 3]); 130_000])),
        attack("distinct items", unique, &json!(distinct)),
        attack("enum", json!({"items": {"enum": options}}), &json!(vec![json!({"a": -1}); 3_800])),
        attack("large enum", json!({"items": {"enum": options}}), &json!(vec![json!({}); 300_000])),
        attack("enum of numbers", json!({"items": {"enum": numbers}}), &ones()),
    ]
}

/// Schemas of 64 KiB that take long to read.
fn large() -> Vec<Attack> {
    let defs = |count: usize, of: &dyn Fn(usize) -> Value| {
        let all: Map<_, _> = (0..count).map(|place| (place.to_string(), of(place))).collect();
        json!({"$defs": all})
    };
    let name = "k".repeat(30 << 10);
    let anchors =
        json!({"$defs": {name: defs(600, &|place| json!({"$anchor": format!("a{place}")}))}});
    vec![
        attack("empty", json!({"items": {"anyOf": vec![json!({}); 20_000]}}), &json!([1])),
        attack(
            "references",
            defs(1_500, &|place| json!({"$ref": format!("#/$defs/{}", place / 2)})),
            &json!(1),
        ),
        attack(
            "patterns",
            defs(1_500, &|place| json!({"pattern": format!("[a-z]{{{place}}}")})),
            &json!(1),
        ),
        attack(
            "huge patterns",
            defs(1_200, &|place| json!({"pattern": format!("[^x]{{{}}}", 2_000 + place)})),
            &json!(1),
        ),
        attack(
            "too huge patterns",
            defs(1_200, &|_| json!({"pattern": "((a{900}){900}){900}"})),
            &json!(1),
        ),
        attack("a long name", anchors, &json!(1)),
        attack(
            "defaults",
            defs(1_200, &|place| json!({"$ref": "#/$defs/0/x", "x": {}, "default": place})),
            &json!(1),
        ),
        attack(
            "unevaluated",
            chain(12, |next| json!({"allOf": [next], "unevaluatedProperties": false}), json!({})),
            &json!({}),
        ),
        attack(
            "dynamic",
            defs(
                400,
                &|_| json!({"$dynamicAnchor": "a", "properties": {"x": {"$dynamicRef": "#a"}}}),
            ),
            &nested(20, json!(1)),
        ),
        attack(
            "meta-schema",
            json!({"items": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}),
            &json!(vec![nested(100, json!({"type": 1})); 10]),
        ),
    ]
}

/// What the issue of host work outside the limits was about: what one part of a value costs, times
/// all parts.
fn many_members() -> Vec<Attack> {
    let members: Map<_, _> = (0..150_000).map(|n| (n.to_string(), json!(n))).collect();
    let members = Value::Object(members);
    let inner: Vec<_> =
        (0..900).map(|n| json!({"additionalProperties": {"minimum": -n}})).collect();
    let names: Vec<_> = (0..900).map(|n| json!({"propertyNames": {"maxLength": 99 + n}})).collect();
    let patterns: Vec<_> =
        (0..30).map(|n| json!({"patternProperties": {format!("^{n}x"): false}})).collect();
    let contains: Vec<_> = (0..900).map(|n| json!({"contains": {"const": -n}})).collect();
    let seen: Vec<_> = (0..90).map(|n| json!({"properties": {n.to_string(): true}})).collect();
    let unknown = vec![json!({"additionalProperties": false}); 900];
    let recursive = json!({
        "anyOf": (0..60).map(|n| json!({
            "required": ["x"], "properties": {"x": {"$ref": "#"}, "y": {"minimum": n}},
        })).collect::<Vec<_>>(),
    });
    vec![
        attack("additionalProperties x 900", json!({"allOf": inner}), &members),
        attack("propertyNames x 900", json!({"allOf": names}), &members),
        attack("patternProperties x 30", json!({"allOf": patterns}), &members),
        attack("contains x 900", json!({"anyOf": contains}), &ones()),
        attack("unevaluated x 90", json!({"anyOf": seen, "unevaluatedProperties": true}), &members),
        attack("unknown fields x 900", json!({"anyOf": unknown}), &members),
        attack(
            "uniqueItems x 900",
            json!({"allOf": vec![json!({"uniqueItems": true}); 900]}),
            &ones(),
        ),
        attack("recursive", recursive, &json!(nested(120, json!({"x": 1, "y": -1})))),
        attack(
            "const",
            json!({"items": {"const": vec![1; 9_000]}}),
            &json!(vec![vec![1; 9_000]; 50]),
        ),
        attack(
            "a long name",
            json!({"patternProperties": {"(a|b)*c": {}, "[ab]{200}c": {}}}),
            &json!({mixed(): 1}),
        ),
        attack(
            "errors with long paths",
            json!({"additionalProperties": {"items": {"type": "null"}}}),
            &json!({"k".repeat(1 << 20): vec![1; 100_000]}),
        ),
        attack(
            "errors with long texts",
            json!({"allOf": vec![json!({"pattern": "^x"}); 900]}),
            &json!(mixed().repeat(8)),
        ),
    ]
}

/// Returns how long this thread has had a processor: other programs do not count.
fn thread_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let time = stat.split(' ').next().expect("three numbers");
    Duration::from_nanos(time.parse().expect("a number"))
}

#[test]
fn no_schema_makes_a_check_go_on_after_its_deadline() {
    const TIMEOUT: Duration = Duration::from_millis(30);
    let mut report = String::new();
    let mut worst = [Duration::ZERO; 2];
    for all in [many_keywords, deep_paths, texts, members, items, large, many_members] {
        for (name, document, value) in all() {
            let start = thread_time();
            let schema = Schema::compile(document);
            let compiling = thread_time() - start;
            let start = thread_time();
            let budget = Budget::until(Instant::now() + TIMEOUT, || false);
            let result = match schema.as_ref().map(|schema| schema.check(&value, &budget)) {
                Ok(Ok(())) => "conforms".into(),
                Ok(Err(CheckError::Violations(violations))) => violations.to_string(),
                Ok(Err(CheckError::Interrupted(why))) => why.to_string(),
                Ok(Err(CheckError::Thread(error))) => error.to_string(),
                Err(error) => error.to_string(),
            };
            let over = (thread_time() - start).saturating_sub(TIMEOUT);
            writeln!(report, "{name}: {compiling:.0?}, {over:.0?} after the deadline: {result}")
                .unwrap();
            worst = [worst[0].max(compiling), worst[1].max(over)];
        }
    }
    println!("{report}at worst {worst:.0?}");
    // Some ten milliseconds; without the budget it is minutes, or memory runs out.
    assert!(worst[0] < Duration::from_secs(5), "{report}");
    assert!(worst[1] < Duration::from_millis(500), "{report}");
}

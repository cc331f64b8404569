//! `ophost describe`: the input and output of an operation.

use e2e::guest::{Described, Operation, describing};
use serde_json::json;

use crate::harness::Project;
use crate::terminal;

#[test]
fn fields_are_shown_with_type_default_and_description() {
    let project = Project::with_rust(&["text"]);
    insta::assert_snapshot!(project.run(&["describe", "slugify"]), @r#"
    slugify  text

    Converts a text to a part of a URL: `Salt & Pepper` becomes `salt-pepper`.

    Latin letters lose their accents. Letters of other scripts are kept.

    plugin  text 0.1.0
    file    plugins/text.wasm
    digest  [DIGEST]
    tags    text, web

    Input
      text        text             required      The text, such as a title.
      separator   text             default "-"   The separator of two words. (at most 8 characters)
      max_length  integer or null  default null  The maximum number of characters of the slug. Words that do not fit are dropped, and the first word is truncated. (at least 1)

    Output
      slug  text  Letters and digits in lower case, with a separator between two words.

    Example
      ophost run slugify text=hello
    "#);
}

#[test]
fn unknown_operation_gets_a_suggestion() {
    let project = Project::with_rust(&["text"]);
    insta::assert_snapshot!(project.run(&["describe", "slugfy"]), @"
    ---- stderr
    error: no operation named `slugfy`
    hint: did you mean `slugify`?
    ---- exit 3
    ");
    insta::assert_snapshot!(project.run(&["describe", "something_else"]), @"
    ---- stderr
    error: no operation named `something_else`
    hint: run `ophost list` to list the operations
    ---- exit 3
    ");
}

fn with_schema(name: &str, schema: &serde_json::Value) -> Project {
    let project = Project::new();
    let operation = Operation { input_schema: schema.to_string(), ..Operation::new(name) };
    let plugin = describing(&Described::new("it").with(operation)).expect("a guest");
    project.add("it", &plugin);
    project
}

#[test]
fn nested_fields_choices_and_constraints_are_shown() {
    let schema = json!({
        "type": "object",
        "properties": {
            "note": {"type": "string", "default": "none"},
            "place": {"$ref": "#/$defs/place"},
            "kind": {"enum": ["small", "large"], "description": "How it is sold."},
            "sizes": {
                "type": "array",
                "items": {"type": "integer", "minimum": 3},
                "minItems": 2,
                "uniqueItems": true,
            },
            "day": {"type": "string", "format": "date"},
        },
        "required": ["kind", "place", "sizes"],
        "$defs": {"place": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 3}, "zip": {"type": "integer"}},
            "required": ["city"],
        }},
    });
    let output = with_schema("sell", &schema).run(&["describe", "sell"]);
    let (_, fields) = output.stdout.split_once("\n\nInput\n").expect("fields");
    insta::assert_snapshot!(fields, @r#"
      place       object           required
      place.city  text             required        (at most 3 characters)
      place.zip   integer
      kind        small | large    required        How it is sold.
      sizes       list of integer  required        (at least 2 items, unique items)
      note        text             default "none"
      day         text                             (date)

    Output
      {}

    Example
      ophost run sell --input @input.json
    "#);
}

/// Returns the example, which is the last line of a description.
fn example(project: &Project, name: &str) -> String {
    let output = project.run(&["describe", name]);
    output.stdout.lines().last().unwrap_or_default().trim().to_owned()
}

#[test]
fn printed_example_is_a_working_command() {
    let project = Project::with_rust(&["text", "misbehave"]);
    for name in ["slugify", "word_count", "misbehave.echo", "misbehave.item_errors"] {
        let example = example(&project, name);
        let arguments: Vec<_> = example.split(' ').skip(1).collect();
        let output = project.run(&arguments);
        assert_eq!(output.code, Some(0), "{example}: {output}");
    }
}

#[test]
fn example_without_known_values_uses_an_input_file() {
    let code = json!({"type": "string", "pattern": "^[0-9]{12}$"});
    let schema = json!({"properties": {"code": code}, "required": ["code"]});
    let example = example(&with_schema("sell", &schema), "sell");
    assert_eq!(example, "ophost run sell --input @input.json");
}

#[test]
fn hostile_schema_is_described_quickly_and_briefly() {
    let mut definitions = serde_json::Map::new();
    for level in 0..9 {
        let next = json!({"$ref": format!("#/$defs/a{}", level + 1)});
        definitions.insert(format!("a{level}"), json!({"allOf": [next, next]}));
    }
    definitions.insert("a9".into(), json!({"type": "object"}));
    let fields: serde_json::Map<_, _> =
        (0..1_000).map(|n| (format!("field{n}\u{1b}[31m"), json!({"$ref": "#"}))).collect();
    let slow = json!({"$ref": "#/$defs/a0", "properties": fields, "$defs": definitions});
    let project = with_schema("slow", &slow);
    let started = std::time::Instant::now();
    let output = project.run(&["describe", "slow"]);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    assert!(output.stdout.lines().count() < 130 && output.stdout.len() < 20_000, "{output}");
    assert!(!output.stdout.contains('\u{1b}'));
    assert!(output.stdout.ends_with("\n  ophost run slow\n"), "{output}");
}

#[test]
fn descriptions_are_wrapped_to_the_terminal() {
    let project = Project::with_rust(&["text"]);
    let command = project.command(&["describe", "slugify", "--color", "never"]);
    let text = terminal::run(command, 72).0.replace("\r\n", "\n");
    let (_, fields) = text.split_once("\n\nInput\n").expect("fields");
    insta::assert_snapshot!(fields, @r#"
      text        text             required
          The text, such as a title.
      separator   text             default "-"
          The separator of two words. (at most 8 characters)
      max_length  integer or null  default null
          The maximum number of characters of the slug. Words that do not
          fit are dropped, and the first word is truncated. (at least 1)

    Output
      slug  text  Letters and digits in lower case, with a separator between
                  two words.

    Example
      ophost run slugify text=hello
    "#);
}

#[test]
fn models_are_shown_with_their_collections() {
    let project = Project::new();
    let operation = Operation {
        models_in: vec!["Job".to_owned(), "Rate".to_owned()],
        models_out: vec!["Company".to_owned()],
        ..Operation::new("match")
    };
    let operation = operation.annotated("ophost.collections", r#"{"Rate": "prices"}"#);
    let plugin = describing(&Described::new("it").with(operation)).expect("a guest");
    project.add("it", &plugin);
    let text = project.run(&["describe", "match"]).stdout;
    let facts: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("reads") || line.starts_with("writes"))
        .collect();
    assert_eq!(
        facts,
        [
            "reads   Job (collection jobs), Rate (collection prices)",
            "writes  Company (collection companys)",
        ]
    );
    let collections = json!({"Job": "jobs", "Rate": "prices", "Company": "companys"});
    assert_eq!(project.run(&["describe", "match", "--json"]).json()["collections"], collections);
    let listed = project.run(&["list", "--json"]).json();
    assert_eq!(listed["operations"][0]["collections"], collections);
}

/// Returns a project whose input has a union in each form of schemars: internally tagged,
/// externally tagged, untagged, and nullable.
fn with_alternatives() -> Project {
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "a.b": {"type": "boolean"},
            "shape": {"description": "What to draw.", "oneOf": [
                {
                    "type": "object",
                    "description": "A circle.",
                    "properties": {"kind": {"type": "string", "const": "circle"}, "radius": {"type": "number"}},
                    "required": ["kind", "radius"],
                },
                {
                    "type": "object",
                    "properties": {"kind": {"type": "string", "const": "square"}, "side": {"type": "number"}},
                    "required": ["kind", "side"],
                },
            ]},
            "color": {"anyOf": [{"$ref": "#/$defs/Color"}, {"type": "null"}]},
            "target": {"anyOf": [{"$ref": "#/$defs/Target"}, {"type": "null"}]},
            "from": {"anyOf": [
                {"type": "string"},
                {"type": "object", "properties": {"file": {"type": "string"}, "line": {"type": "integer"}}, "required": ["file"]},
                {"type": "object", "title": "Remote", "properties": {"url": {"type": "string"}, "line": {"type": "integer"}}, "required": ["url", "line"]},
            ]},
        },
        "required": ["name", "shape", "a.b"],
        "$defs": {
            "Color": {"type": "string", "enum": ["red", "green"]},
            "Target": {"oneOf": [
                {"type": "string", "enum": ["Screen"]},
                {"type": "object", "properties": {"File": {"$ref": "#/$defs/File"}}, "required": ["File"], "additionalProperties": false},
                {"type": "object", "properties": {"Mail": {"type": "string"}}, "required": ["Mail"], "additionalProperties": false},
            ]},
            "File": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
        },
    });
    let project = Project::new();
    let operation = Operation {
        input_schema: schema.to_string(),
        output_schema: "{}".to_owned(),
        ..Operation::new("draw")
    };
    let plugin = describing(&Described::new("it").with(operation)).expect("a guest");
    project.add("it", &plugin);
    project
}

#[test]
fn every_alternative_of_a_union_is_described() {
    let project = with_alternatives();
    let output = project.run(&["describe", "draw"]);
    let (_, fields) = output.stdout.split_once("\n\nInput\n").expect("fields");
    insta::assert_snapshot!(fields, @r#"
      name                           text                      required
      a\.b                           true or false             required
      shape                          object                    required  What to draw.
      when shape.kind=circle                                             A circle.
        shape.radius                 number                    required
      when shape.kind=square
        shape.side                   number                    required
      color                          red | green or null
      target                         Screen or object or null
      when target.File is given
        target.File                  object                    required
        target.File.path             text                      required
      when target.Mail is given
        target.Mail                  text                      required
      from                           object or text
      alternative 1 of from
        from.file                    text                      required
        from.line                    integer
      alternative 2 of from: Remote
        from.url                     text                      required
        from.line                    integer                   required

    Output
      {}

    Example
      ophost run draw name=hello "a\\.b"=true shape='{"kind":"circle","radius":1}'
    "#);
    let schema = &project.run(&["describe", "draw", "--json"]).json()["input_schema"];
    assert_eq!(schema["properties"]["shape"]["oneOf"].as_array().map(Vec::len), Some(2));
}

#[test]
fn alternatives_of_the_input_are_described_with_an_example() {
    let variant = |kind: &str, field: &str| {
        json!({
            "type": "object",
            "properties": {"kind": {"const": kind}, field: {"type": "integer"}},
            "required": ["kind", field],
        })
    };
    let schema = json!({"oneOf": [variant("circle", "radius"), variant("square", "side")]});
    let output = with_schema("draw", &schema).run(&["describe", "draw"]);
    let (_, fields) = output.stdout.split_once("\n\nInput\n").expect("fields");
    insta::assert_snapshot!(fields, @"
      when kind=circle
        radius          integer  required
      when kind=square
        side            integer  required

    Output
      {}

    Example
      ophost run draw kind=circle radius=1
    ");
}

#[test]
fn violation_of_a_union_names_the_closest_alternative() {
    let project = with_alternatives();
    let run = |shape: &str| {
        project.run(&["run", "draw", "name=x", r"a\.b=true", &format!("shape:={shape}")])
    };
    insta::assert_snapshot!(run(r#"{"kind": "cirlce"}"#), @r#"
    ---- stderr
    error: the input of `draw` breaks its schema in 1 place
      /shape/kind: expected one of "circle", "square", got "cirlce"; did you mean `circle`?
    hint: run `ophost describe draw` to show the input schema
    ---- exit 2
    "#);
    insta::assert_snapshot!(run(r#"{"kind": "square"}"#), @"
    ---- stderr
    error: the input of `draw` breaks its schema in 1 place
      /shape/side: missing, but required
    hint: run `ophost describe draw` to show the input schema
    ---- exit 2
    ");
    let json = ["run", "draw", "name=x", r"a\.b=true", "shape:={}", "--json"];
    let violations = &project.run(&json).json()["error"]["violations"];
    assert_eq!(violations[0]["pointer"], "/shape/kind");
}

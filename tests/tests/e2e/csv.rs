//! The sample plugin `csv-profile`: open data, invalid tables and dialects.

use std::fmt::Write as _;
use std::fs;
use std::sync::{Arc, Mutex};

use ophost::{Event, Host, Outcome, Request};
use serde_json::{Value, json};

use crate::harness::{Output, Project};

/// 3,000 collisions of aircraft with birds. The README beside the file names its source.
const BIRDSTRIKES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/csv/data/birdstrikes.csv");

fn project() -> Project {
    Project::with_rust(&["csv-profile"])
}

/// Profiles a file with this content.
fn profile(bytes: impl AsRef<[u8]>, options: &[&str]) -> Output {
    let project = project();
    fs::write(project.path().join("table.csv"), bytes).expect("a file");
    project.run(&[&["run", "profile_csv", "csv=@table.csv"], options].concat())
}

/// Returns a line for each column: name, type, count and nulls, distinct values, range, mean, and
/// the most frequent value with its count.
fn summary(profile: &Value) -> String {
    let mut text = String::new();
    for column in profile["columns"].as_array().expect("columns") {
        let [kind, count, nulls, distinct] =
            ["type", "count", "nulls", "distinct"].map(|key| &column[key]);
        let [min, max, mean] = ["min", "max", "mean"].map(|key| &column[key]);
        let top = &column["most_frequent"][0];
        let (value, times) = (&top["value"], &top["count"]);
        let name = column["name"].as_str().expect("a name");
        writeln!(text, "{name}: {kind} {count}+{nulls}, {distinct} distinct, {min} to {max}, mean {mean}, {value} {times} times").expect("writing to a string");
    }
    text
}

#[test]
fn sample_data_is_profiled() {
    let arguments = ["run", "--json", "profile_csv", &format!("csv=@{BIRDSTRIKES}"), "top=1"];
    let report = project().run(&arguments).json();
    let profile = &report["output"];
    assert_eq!(report["item_errors"], json!([]));
    assert_eq!((&profile["rows"], &profile["bad_rows"]), (&json!(3000), &json!(0)));
    assert_eq!(profile["column_count"], 14);
    insta::assert_snapshot!(summary(profile), @r#"
    Airport Name: "text" 3000+0, 49 distinct, "ATLANTA INTL" to "WILL ROGERS WORLD ARPT", mean null, "DALLAS/FORT WORTH INTL ARPT" 349 times
    Aircraft Make Model: "text" 3000+0, 152 distinct, "A-10A" to "T-43A", mean null, "MD-80" 376 times
    Effect Amount of damage: "text" 3000+0, 5 distinct, "C" to "Substantial", mean null, "None" 2724 times
    Flight Date: "date" 3000+0, 1270 distinct, "1990-01-08" to "1994-11-21", mean null, "1990-10-24" 14 times
    Aircraft Airline Operator: "text" 3000+0, 40 distinct, "ABX AIR" to "US AIRWAYS*", mean null, "AMERICAN AIRLINES" 1031 times
    Origin State: "text" 3000+0, 28 distinct, "Arizona" to "Washington", mean null, "Texas" 545 times
    Phase of flight: "text" 3000+0, 7 distinct, "Approach" to "Taxi", mean null, "Approach" 1502 times
    Wildlife Size: "text" 3000+0, 3 distinct, "Large" to "Small", mean null, "Medium" 1429 times
    Wildlife Species: "text" 3000+0, 35 distinct, "American crow" to "Zebra dove", mean null, "Unknown bird - small" 1021 times
    Time of day: "text" 3000+0, 4 distinct, "Dawn" to "Night", mean null, "Day" 1693 times
    Cost Other: "integer" 3000+0, 17 distinct, 0 to 1565354, mean 605.4456666666666, "0" 2984 times
    Cost Repair: "integer" 3000+0, 40 distinct, 0 to 1237569, mean 1528.4873333333333, "0" 2961 times
    Cost Total $: "integer" 3000+0, 48 distinct, 0 to 1565354, mean 2133.933, "0" 2952 times
    Speed IAS in knots: "integer" 2447+553, 93 distinct, 0 to 350, mean 152.44789538210054, "140" 329 times
    "#);
}

#[test]
fn descriptions_are_shown_completely() {
    let described = project().run(&["describe", "profile_csv"]);
    assert!(described.stdout.contains("`min`, `max`, `mean`, `most_frequent`.\n"), "{described}");
    assert!(described.stdout.contains("and values that came late are missing"), "{described}");
}

#[test]
fn columns_are_selected() {
    let table = "name,age,city\nAnn,31,Rome\nBob,NA,Oslo\nCid,40,Rome\n";
    insta::assert_snapshot!(profile(table, &["columns=age", "columns=city", "top=1"]), @r#"{"rows":3,"bad_rows":0,"column_count":3,"columns":[{"name":"age","type":"integer","count":2,"nulls":1,"distinct":2,"distinct_exact":true,"min":31,"max":40,"mean":35.5,"most_frequent":[{"value":"31","count":1}]},{"name":"city","type":"text","count":3,"nulls":0,"distinct":2,"distinct_exact":true,"min":"Oslo","max":"Rome","most_frequent":[{"value":"Rome","count":2}]}]}"#);
    insta::assert_snapshot!(profile(table, &["columns=town"]), @r#"
    ---- stderr
    error: operation `profile_csv` failed (no-such-column): there is no column `town`
      {"columns":["name","age","city"]}
    ---- exit 1
    "#);
}

#[test]
fn invalid_rows_are_reported_and_skipped() {
    let table = "id,name\n1,one\n2\n3,three,drei\n4,\"four\n5,\"fi\"ve\n6,\"six\"\n7,\"se\nven\"\n";
    insta::assert_snapshot!(profile(table, &["top=0"]), @r#"
    {"rows":3,"bad_rows":4,"column_count":2,"columns":[{"name":"id","type":"integer","count":3,"nulls":0,"distinct":3,"distinct_exact":true,"min":1,"max":7,"mean":4.666666666666667,"most_frequent":[]},{"name":"name","type":"text","count":3,"nulls":0,"distinct":3,"distinct_exact":true,"min":"one","max":"six","most_frequent":[]}]}
    ---- stderr
    warning: 4 items failed
      1 {"line":3,"text":"2"}: 1 field, not 2
      2 {"line":4,"text":"3,three,drei"}: 3 fields, not 2
      3 {"line":5,"text":"4,\"four"}: text after a closing quote
      4 {"line":6,"text":"5,\"fi\"ve"}: text after a closing quote
    "#);
    let report = profile(table, &["--json"]).json();
    assert_eq!(report["status"], "SUCCESS");
    assert_eq!(report["item_errors"][0]["index"], 1);
    assert_eq!(report["item_errors"][0]["item"], json!({"line": 3, "text": "2"}));
}

#[test]
fn long_row_is_truncated_in_the_report() {
    let table = format!("a,b\n{}\n1,2\n", "\u{fc}".repeat(5_000));
    let report = profile(table, &["--json"]).json();
    let text = report["item_errors"][0]["item"]["text"].as_str().unwrap();
    assert_eq!(text, format!("{}\u{2026}", "\u{fc}".repeat(80)));
}

#[test]
fn unreadable_input_fails_with_a_reason() {
    insta::assert_snapshot!(profile("", &[]), @"
    ---- stderr
    error: operation `profile_csv` failed (empty): the text holds no row
    ---- exit 1
    ");
    insta::assert_snapshot!(profile("a,b\n1\n2\n", &[]), @r#"
    ---- stderr
    error: operation `profile_csv` failed (no-readable-row): none of 2 rows can be read
    warning: 2 items failed
      0 {"line":2,"text":"1"}: 1 field, not 2
      1 {"line":3,"text":"2"}: 1 field, not 2
    ---- exit 1
    "#);
    insta::assert_snapshot!(profile("a,\"b\n1,2\n", &[]), @"
    ---- stderr
    error: operation `profile_csv` failed (bad-header): the header in line 1 cannot be read: a quote is not closed
    ---- exit 1
    ");
    insta::assert_snapshot!(profile(b"name\nJos\xe9\n", &[]), @"
    ---- stderr
    error: `table.csv` is not UTF-8 text: byte 0xe9 in line 2
    hint: run `iconv -f ENCODING -t UTF-8 table.csv` with the encoding of the text, such as WINDOWS-1252
    ---- exit 2
    ");
}

#[test]
fn delimiter_is_one_character() {
    insta::assert_snapshot!(profile("a;;b\n", &["delimiter=;;"]), @r#"
    ---- stderr
    error: the input of `profile_csv` breaks its schema in 1 place
      /delimiter: expected at most 1 character, got ";;"
    hint: run `ophost describe profile_csv` to show the input schema
    ---- exit 2
    "#);
    insta::assert_snapshot!(profile("a\"b\n", &["delimiter=\""]), @r#"
    ---- stderr
    error: operation `profile_csv` failed (bad-delimiter): `"` cannot be a delimiter: it is one ASCII character, no quote and no line end
    ---- exit 1
    "#);
}

#[test]
fn table_without_a_header_is_read() {
    let profile = profile("1,x\n2,y\n3,y\n", &["header=false", "top=1"]).json();
    assert_eq!(profile["rows"], 3);
    insta::assert_snapshot!(summary(&profile), @r#"
    column_1: "integer" 3+0, 3 distinct, 1 to 3, mean 2.0, "1" 1 times
    column_2: "text" 3+0, 2 distinct, "x" to "y", mean null, "y" 2 times
    "#);
}

#[test]
fn integers_of_64_bits_arrive_unchanged() {
    let table =
        "id,code\n9007199254740993,007\n18446744073709551615,123\n-9223372036854775808,42\n";
    let output = profile(table, &[]);
    let column = &output.json()["columns"][0];
    assert_eq!(column["type"], "integer");
    assert_eq!((&column["min"], &column["max"]), (&json!(i64::MIN), &json!(u64::MAX)), "{output}");
    assert_eq!(output.json()["columns"][1]["type"], "text");
}

#[test]
fn tables_of_spreadsheets_are_read() {
    let table = "\u{feff}name;said;on\r\n\"Ann; B.\";\"two\r\nlines\";2024-02-29\r\n\r\nCid;\"a \"\"word\"\"\";2024-03-01\r\n";
    let profile = profile(table, &["delimiter=;", "top=1"]).json();
    assert_eq!((&profile["rows"], &profile["bad_rows"]), (&json!(2), &json!(0)));
    insta::assert_snapshot!(summary(&profile), @r#"
    name: "text" 2+0, 2 distinct, "Ann; B." to "Cid", mean null, "Ann; B." 1 times
    said: "text" 2+0, 2 distinct, "a \"word\"" to "two\r\nlines", mean null, "a \"word\"" 1 times
    on: "date" 2+0, 2 distinct, "2024-02-29" to "2024-03-01", mean null, "2024-02-29" 1 times
    "#);
}

#[test]
fn megabytes_fit_into_the_default_limits() {
    let mut table = "id,token,share,at\n".to_owned();
    for id in 0..150_000_u64 {
        let token = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (share, second) = (id as f64 / 150_000.0, id % 60);
        writeln!(table, "{id},{token:016x},{share},2024-01-01T00:00:{second:02}Z").unwrap();
    }
    assert!(table.len() > 8_000_000, "{} bytes", table.len());
    let profile = profile(table, &["top=1"]).json();
    let columns = &profile["columns"];
    assert_eq!((&profile["rows"], &columns[0]["mean"]), (&json!(150_000), &json!(74_999.5)));
    // The plugin reports that it stopped to count distinct values at its limit.
    assert_eq!(columns[0]["distinct_exact"], false);
    assert_eq!((&columns[0]["distinct"], &columns[0]["max"]), (&json!(100_000), &json!(149_999)));
    assert_eq!(
        (&columns[3]["distinct"], &columns[3]["distinct_exact"]),
        (&json!(60), &json!(true))
    );
}

#[tokio::test]
async fn progress_increases_to_the_last_byte() {
    let project = project();
    let host = Host::builder().plugins(project.plugins()).build().await.expect("a host");
    let csv = fs::read_to_string(BIRDSTRIKES).unwrap().repeat(4);
    let size = csv.len() as u64;
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let request = Request::new("profile_csv", json!({"csv": csv})).on_event(move |event| {
        if let Event::Progress(progress) = event {
            sink.lock().unwrap().push((progress.done, progress.total, progress.message.clone()));
        }
    });
    let report = host.run(request).await.expect("the run starts");
    assert!(matches!(report.outcome, Outcome::Success(_)), "{:?}", report.outcome);
    let events = events.lock().unwrap();
    let messages: Vec<_> = events.iter().filter_map(|(_, _, message)| message.as_deref()).collect();
    assert_eq!(messages, ["5000 rows", "10000 rows", "12003 rows"]);
    assert!(events.is_sorted_by_key(|(done, ..)| *done));
    assert_eq!((events[2].0, events[2].1), (size, Some(size)));
}

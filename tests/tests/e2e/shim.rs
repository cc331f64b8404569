//! `ophost shim`: the module for Prefect. `cargo xtask prefect` tests it with a real Prefect.

use std::fs;
use std::os::unix::fs::symlink;

use crate::harness::{OPHOST, Output, Project};

#[test]
fn shim_is_printed_or_written_to_a_file() {
    let project = Project::new();
    let printed = project.run(&["shim", "prefect"]);
    assert!(printed.stdout.contains("\ndef prefect_env() -> dict[str, str]:\n"), "{printed}");
    assert_eq!((printed.stderr.as_str(), printed.code), ("", Some(0)));

    let written = project.run(&["shim", "prefect", "--output", "ophost_prefect.py"]);
    assert_eq!((written.stdout.as_str(), written.code), ("", Some(0)));
    let file = fs::read_to_string(project.path().join("ophost_prefect.py")).unwrap();
    assert_eq!(file, printed.stdout);
}

#[test]
fn failed_write_of_the_shim_is_an_error() {
    let output = Project::new().run(&["shim", "prefect", "--output", "missing/shim.py"]);
    insta::assert_snapshot!(output, @"
    ---- stderr
    error: cannot write `missing/shim.py`: No such file or directory (os error 2)
    ---- exit 2
    ");
}

/// A stub of the Prefect module that the shim imports. It behaves as outside of a flow.
const PREFECT_STUB: &str = "
class FlowRunContext:
    @staticmethod
    def get():
        return None

TaskRunContext = FlowRunContext
";

/// Runs a Python script that calls `report` and `run` of the shim.
fn python(project: &Project, script: &str) -> Output {
    let modules = project.path().join("modules");
    fs::create_dir_all(modules.join("prefect")).expect("a directory");
    fs::write(modules.join("prefect/context.py"), PREFECT_STUB).expect("a directory");
    let programs = project.path().join("programs");
    fs::create_dir_all(&programs).expect("a directory");
    symlink(OPHOST, programs.join("ophost")).ok();
    let shim = modules.join("ophost_prefect.py");
    let written = project.run(&["shim", "prefect", "-o", shim.to_str().expect("UTF-8")]);
    assert_eq!(written.code, Some(0), "{written}");
    let script = format!("from ophost_prefect import OphostError, report, run\n{script}");
    let others = std::env::var("PATH").expect("a path");
    let mut python = project.program("python3", &["-c", &script]);
    python.env("PYTHONPATH", modules).env("PATH", format!("{}:{others}", programs.display()));
    project.output(&mut python)
}

#[test]
fn shim_names_the_path_of_a_value_that_is_not_json() {
    let project = Project::with_rust(&["misbehave"]);
    let output = python(
        &project,
        r#"
import datetime, decimal, uuid
class Number:  # as numpy's
    def tolist(self): return 1
class Frame:  # as pandas'
    columns = []
    def to_dict(self, orient="dict"): return {}
class NAType: pass
ring = []
ring.append(ring)
deep = None
for _ in range(200): deep = [deep]
for value in [
    {"rows": [{"price": 1.5}, {"price": float("nan")}]}, [float("inf")], (-float("inf"),),
    {"at": datetime.datetime(2026, 1, 31)}, datetime.date(2026, 1, 31), decimal.Decimal("1.5"),
    uuid.UUID(int=1), Number(), Frame(), NAType(), {1, 2}, b"x", {(1, 2): 3}, {float("nan"): 1},
    {"a" * 100: object()}, ring, deep,
]:
    result = report("misbehave.echo", {"value": value})
    assert result["status"] is None and result["run_id"] is None, result
    assert result["error"]["kind"] == "invalid_input", result
    print(result["error"]["message"])
try:
    run("misbehave.echo", {"value": float("nan")})
except OphostError as error:
    print(error)
"#,
    );
    insta::assert_snapshot!(output, @r#"
    the input is not JSON: `input['value']['rows'][1]['price']` is NaN, which JSON does not have; write None for a missing value
    the input is not JSON: `input['value'][0]` is Infinity, which JSON does not have
    the input is not JSON: `input['value'][0]` is -Infinity, which JSON does not have
    the input is not JSON: `input['value']['at']` is of type datetime.datetime, which JSON does not have; write .isoformat()
    the input is not JSON: `input['value']` is of type datetime.date, which JSON does not have; write .isoformat()
    the input is not JSON: `input['value']` is of type decimal.Decimal, which JSON does not have; convert it, such as by str(...)
    the input is not JSON: `input['value']` is of type uuid.UUID, which JSON does not have; convert it, such as by str(...)
    the input is not JSON: `input['value']` is of type __main__.Number, which JSON does not have; write .tolist()
    the input is not JSON: `input['value']` is of type __main__.Frame, which JSON does not have; write .to_dict("records")
    the input is not JSON: `input['value']` is of type __main__.NAType, which JSON does not have; write None for a missing value
    the input is not JSON: `input['value']` is of type set, which JSON does not have; write sorted(...) or list(...)
    the input is not JSON: `input['value']` is of type bytes, which JSON does not have; decode it, or encode it as base64
    the input is not JSON: `input['value']` has the key (1, 2), which is not text
    the input is not JSON: `input['value']` has the key nan, which is not text
    the input is not JSON: `input['value']['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...]` is of type object, which JSON does not have; convert it, such as by str(...)
    the input is not JSON: `input['value'][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][...` is nested deeper than 127 levels, or contains itself
    `stdin` is not JSON: recursion limit exceeded at line 1 column 137
    invalid_input: the input is not JSON: `input['value']` is NaN, which JSON does not have; write None for a missing value
    "#);
}

#[test]
fn shim_passes_all_json_values_unchanged() {
    let project = Project::with_rust(&["misbehave"]);
    let output = python(
        &project,
        r#"
class Float(float): pass  # as numpy's
value = [None, True, 2**63, -1, 0.1, Float(2.5), "\u00e4\U0001f525\x85", {"a": [], "b": {}}, (1, 2)]
result = run("misbehave.echo", {"value": value, })["value"]
assert result == value[:-1] + [[1, 2]], result
assert run("misbehave.echo", {"value": {1: "one"}})["value"] == {"1": "one"}
shared = [1]
assert run("misbehave.echo", {"value": [shared, shared]})["value"] == [[1], [1]]
print("ok")
"#,
    );
    insta::assert_snapshot!(output, @"ok");
}

#[test]
fn shim_returns_an_operation_as_an_async_function() {
    let project = Project::with_rust(&["misbehave"]);
    let output = python(
        &project,
        r#"
import asyncio
from ophost_prefect import operation
class Model:  # as pydantic's
    def model_dump(self, mode): return {"value": mode}
echo = operation("misbehave.echo", timeout="5s")
async def calls():
    print(await asyncio.gather(echo(Model()), echo({"value": 1})))
    try:
        await echo({"value": {1, 2}})
    except OphostError as error:
        print(error.kind)
asyncio.run(calls())
"#,
    );
    insta::assert_snapshot!(output, @r"
    [{'value': 'json'}, {'value': 1}]
    invalid_input
    ");
}

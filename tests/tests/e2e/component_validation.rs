//! Validation of components: rejected before they run, with a reason of one sentence.

use e2e::guest::{Described, Operation, crowded, describing};
use ophost::{Host, Outcome, Request};
use serde_json::json;

use crate::harness::Project;

/// Maximum length of a reason, in bytes.
const MAX_SENTENCE: usize = 600;

async fn host(component: &[u8]) -> Host {
    let project = Project::new();
    project.add("it", component);
    Host::builder().plugins(project.plugins()).build().await.expect("a host")
}

/// Returns the reason why a component is rejected. The reason must be one short line.
async fn reason(component: &[u8]) -> String {
    let host = host(component).await;
    let catalog = host.catalog();
    let (_, reason) = catalog.rejected().next().expect("a rejected file");
    assert!(reason.len() <= MAX_SENTENCE && !reason.contains('\n'), "{reason}");
    reason
}

async fn reason_of_text(text: &str) -> String {
    reason(&wat::parse_str(text).expect("a component")).await
}

/// Returns a module with this number of globals.
fn globals(count: usize) -> String {
    format!("(module {})", "(global i32 (i32.const 0))".repeat(count))
}

#[tokio::test]
async fn host_memory_for_instances_is_limited() {
    let expected = "a run needs more than 16.0 MiB of host memory";
    assert_eq!(reason(&crowded(&globals(17_000), 62).expect("a component")).await, expected);
    let elements = format!("(module (func) (elem func {}))", "0 ".repeat(20_000));
    assert_eq!(reason(&crowded(&elements, 60).expect("a component")).await, expected);
    let functions = format!("(module {})", "(func)".repeat(10_000));
    assert_eq!(reason(&crowded(&functions, 60).expect("a component")).await, expected);

    let host = host(&crowded(&globals(16_000), 62).expect("a component")).await;
    let report = host.run(Request::new("hostile.benign", json!({}))).await.expect("the run starts");
    assert_eq!(report.outcome, Outcome::Success(json!({})), "just below the limit");
}

#[tokio::test]
async fn a_component_that_exceeds_a_slot_of_the_pool_runs_without_the_pool() {
    let modules = [
        globals(16_000),
        format!("(module {})", "(memory 1)".repeat(3)),
        format!("(module {})", "(table 1 funcref)".repeat(9)),
    ];
    for module in modules {
        let project = Project::new();
        project.add("it", &crowded(&module, 1).expect("a component"));
        let host = Host::builder().plugins(project.plugins()).instance_pool(1);
        let host = host.build().await.expect("a host");
        let request = Request::new("hostile.benign", json!({}));
        let report = host.run(request).await.expect("the run starts");
        assert_eq!(report.outcome, Outcome::Success(json!({})));
    }
}

/// Returns the text that defines a component `$inner` and instantiates it `count` times.
fn instantiated(count: usize, component: &str) -> String {
    format!("(component $inner {component}) {}", "(instance (instantiate $inner))".repeat(count))
}

#[tokio::test]
async fn nested_instances_are_counted_each_time() {
    let expected = "has more than 64 core instances";
    assert_eq!(reason(&crowded("(module)", 64).expect("a component")).await, expected);
    // Four levels with four instances each. No level alone exceeds the limit.
    let four = "(core module $m) (core instance (instantiate $m)) (core instance (instantiate $m))
        (core instance (instantiate $m)) (core instance (instantiate $m))";
    let nested = instantiated(4, &instantiated(4, &instantiated(4, four)));
    assert_eq!(reason_of_text(&format!("(component {nested})")).await, expected);
    // Aliases and exports do not hide the instances.
    let renamed = format!(
        "(component (component $inner {}) (component
            (alias outer 1 $inner (component $alias))
            (export $exported \"c\" (component $alias))
            (instance (instantiate $exported)) (instance (instantiate $exported))))",
        instantiated(40, "(core module $m) (core instance (instantiate $m))")
    );
    assert_eq!(reason_of_text(&renamed).await, expected);
}

/// Returns components that are nested `depth` levels deep.
fn nested(depth: usize) -> String {
    format!("{}{}", "(component ".repeat(depth), ")".repeat(depth))
}

#[tokio::test]
async fn size_of_a_component_is_limited() {
    let of = |part: &str, count: usize| format!("(component {})", part.repeat(count));
    let module = |part: &str, count: usize| of(&format!("(core module {})", part.repeat(count)), 1);
    let reasons = [
        (of("(core module)", 65), "has more than 64 core modules"),
        (of("(component)", 256), "has more than 256 components"),
        (of(&instantiated(256, ""), 1), "has more than 256 component instances"),
        (nested(9), "has more than 8 levels of components"),
        (of("(type u8)", 20_001), "has more than 20000 definitions"),
        (module("(memory 0)", 17), "has more than 16 memories"),
        (module("(table 0 funcref)", 101), "has more than 100 tables"),
        (module("(func)", 250_001), "has more than 250000 functions"),
        (module("(elem funcref)", 100_001), "has more than 100000 table elements"),
        (
            module("(import \"\" \"\" (func))", 100_001),
            "has more than 100000 imports and exports of core modules",
        ),
        (
            of("(import \"m\" (core module))", 1),
            "imports or exports a module as a value, which is not supported",
        ),
        (
            of("(import \"c\" (component))", 1),
            "imports or exports a component as a value, which is not supported",
        ),
    ];
    for (text, expected) in reasons {
        assert_eq!(reason_of_text(&text).await, expected);
    }
    assert!(reason_of_text(&nested(8)).await.starts_with("not a plugin"), "at the limit");
    // Core modules are checked before they are componentized, because that takes time too.
    let module = format!("(module {})", "(memory 0)".repeat(17));
    assert_eq!(reason_of_text(&module).await, "has more than 16 memories");
}

/// Adds the export of a plugin, without functions, to the text of a component.
fn with_operations(component: &str, version: &str) -> String {
    let export = format!(
        r#"(instance $operations) (export "ophost:plugin/operations@{version}" (instance $operations))"#
    );
    component.replacen("(component", &format!("(component {export}"), 1)
}

/// A module whose code is not valid, so compiling it fails.
const INVALID: &str = "(core module (func (result i32)))";

#[tokio::test]
async fn names_are_checked_before_the_component_is_compiled() {
    let importing = |name: &str| format!(r#"(component (import "{name}" (instance)) {INVALID})"#);
    let reasons = [
        (
            importing("wasi:http/types@0.2.10"),
            "imports `wasi:http/types@0.2.10`, which this host does not provide; `jco componentize` \
             and `componentize-js` leave it out with `--disable http --disable fetch-event`",
        ),
        (
            importing("wasi:keyvalue/store@0.2.0"),
            "imports `wasi:keyvalue/store@0.2.0`, which this host does not provide",
        ),
        (
            importing("ophost:plugin/mail@0.1.1"),
            "imports `ophost:plugin/mail@0.1.1`, which this host does not provide; `ophost wit` \
             prints the interfaces of the contract",
        ),
        (
            importing("ophost:plugin/context@0.1.99"),
            "built for contract version 0.1.99, but this host has 0.1.1; update `ophost`, or build \
             with the contract that `ophost wit` writes",
        ),
        (
            format!("(component (core func (canon task.cancel)) {INVALID})"),
            "uses asynchronous functions of the component model, which this host does not support; \
             build it with synchronous functions (`componentize-qjs --sync`, \
             `jco componentize --backend-qjs-disable-async`)",
        ),
    ];
    for (text, expected) in reasons {
        assert_eq!(reason_of_text(&with_operations(&text, "0.1.1")).await, expected);
    }
    let other = reason_of_text(&with_operations(&format!("(component {INVALID})"), "0.2.0")).await;
    assert_eq!(other, "built for contract version 0.2.0; this host supports 0.1.x");
    let none = reason_of_text(&format!("(component {INVALID})")).await;
    assert!(none.starts_with("not a plugin: does not export `ophost:plugin/operations@0.1.x`"));
    assert_eq!(
        reason_of_text("(module)").await,
        "a core module without component-type metadata; add it with `wasm-tools component embed` \
         and the contract that `ophost wit` writes"
    );
}

#[tokio::test]
async fn recent_webassembly_proposals_are_disabled() {
    let core = |fields: &str| format!("(component (core module {fields}))");
    let disabled = [
        (core("(memory i64 1)"), "memory64"),
        (core("(table i64 1 funcref)"), "memory64"),
        (core("(memory 1 1 shared)"), "threads"),
        (core("(memory 1) (func (drop (i32.atomic.load (i32.const 0))))"), "threads"),
        (core("(type (struct (field i32)))"), "gc"),
        (core("(table 1 externref)"), "gc"),
        (core("(tag) (func (throw 0))"), "exceptions"),
        (core("(type $f (func)) (type (cont $f))"), "stack switching"),
        (core("(memory 1 (pagesize 1))"), "custom page sizes"),
        (core("(func (i64.mul_wide_s (i64.const 1) (i64.const 1)) drop drop)"), "wide arithmetic"),
        ("(component (type (func async)))".to_owned(), "async"),
        ("(component (type (stream u8)))".to_owned(), "async"),
        ("(component (type error-context))".to_owned(), "error-context"),
        (r#"(component (type (component (import "a" (value u8)))))"#.to_owned(), "value"),
        ("(component (type (list u8 4)))".to_owned(), "fixed-length lists"),
        ("(component (type (map string u8)))".to_owned(), "map feature"),
    ];
    for (text, word) in disabled {
        let reason = reason_of_text(&with_operations(&text, "0.1.1")).await;
        assert!(reason.starts_with("invalid or unsupported component: "), "{reason}");
        assert!(reason.contains(word), "{word}: {reason}");
    }
}

#[tokio::test]
async fn rejection_reason_is_short_for_long_names() {
    let long = "a".repeat(90_000);
    let exports: String =
        (0..5000).map(|n| format!(r#"(export "e{n}-{long:.200}" (type $t))"#)).collect();
    let texts = [
        (format!("(component (type $t u8) {exports})"), "and 4998 more"),
        (format!(r#"(component (import "acme:{long}/x" (instance)))"#), "not a plugin"),
        (
            format!(
                r#"(component (type $t (instance)) (import "ophost:{long}/x" (instance $i (type $t))) (export "ophost:plugin/operations@0.1.0" (instance $i)))"#
            ),
            "which this host does not provide",
        ),
        (
            format!(
                r#"(component (instance $i) (export "ophost:plugin/operations@9.9.9-{long}" (instance $i)))"#
            ),
            "this host supports 0.1.x",
        ),
        (
            with_operations(
                &format!(
                    r#"(component (core module (func (export "{long}")) (func (export "{long}"))))"#
                ),
                "0.1.1",
            ),
            "bytes, cut]",
        ),
    ];
    for (text, part) in texts {
        let reason = reason_of_text(&text).await;
        assert!(reason.contains(part), "{part}: {reason}");
    }
}

#[tokio::test]
async fn rejection_of_a_description_is_short_for_long_texts() {
    let long = "a".repeat(500_000);
    let one = |operation| Described::new("it").with(operation);
    let plain = || Operation::new("a");
    let twice = format!(r#"{{"{long}":1,"{long}":1}}"#);
    let descriptions = [
        (one(Operation::new(&format!("A\n{long}"))), "is not an operation name"),
        (one(plain()).annotated(&format!("ophost.{long}"), "1"), "unknown annotation"),
        (one(plain().annotated(&long, "1")), "the annotation key is longer than 255 bytes"),
        (one(plain().annotated(&long, "{")), "is not JSON: EOF while parsing"),
        (one(plain()).annotated(&long, &"9".repeat(1000)), "needs more than 64 bits"),
        (one(Operation { input_schema: twice, ..plain() }), "duplicate field"),
    ];
    for (described, part) in descriptions {
        let reason = reason(&describing(&described).expect("a guest")).await;
        assert!(reason.contains(part), "{part}: {reason}");
    }
}

//! The cost of one call in a process: a fresh instance, no record.

use std::time::Instant;

use anyhow::Result;
use ophost::Request;
use serde_json::{Value, json};

use super::Bench;
use crate::measure::{Contender, Unit, interleave, median};
use crate::peers::bare::{Allocator, BareLoop};
use crate::peers::extism::Extism;
use crate::project::{OpenHost, Project, read_guest, succeeded};
use crate::report::{Goal, OPHOST, Report, Row};

/// Calls of one sample, whose median counts.
const CALLS: usize = 2_000;
/// Ratio to the bare loop with the same allocator.
const GOAL: Goal = Goal::RatioAtMost(1.3);

const OPHOST_ON_DEMAND: &str = "ophost, on demand";
const ON_DEMAND: &str = "bare wasmtime, on demand";
const POOLING: &str = "bare wasmtime, pooling";
const FRESH: &str = "Extism, fresh plugin";
const KEPT: &str = "Extism, kept plugin";

/// A guest, its operation and an input.
struct Guest {
    title: &'static str,
    file: &'static str,
    component: Vec<u8>,
    operation: &'static str,
    input: Value,
}

pub(super) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let tiny = Guest {
        title: "call of the tiny guest",
        file: "benign",
        component: e2e::guest::wat_component("benign")?,
        operation: "hostile.benign",
        input: json!({}),
    };
    let rust = Guest {
        title: "call of a Rust guest",
        file: "text",
        component: read_guest(&bench.options.guests, "text")?,
        operation: "slugify",
        input: json!({"text": "Hello, World!"}),
    };
    let extism = match bench.options.extism.get().map(|library| Extism::load(library)) {
        Ok(Ok(extism)) => Some(extism),
        Ok(Err(error)) => {
            report.missing("Extism", &format!("{error:#}"));
            None
        }
        Err(reason) => {
            report.missing("Extism", reason);
            None
        }
    };
    if let Some(extism) = &extism {
        report.note(format!("Extism {} through its C interface.", extism.version()));
    }
    compare(bench, report, &tiny, extism.as_ref())?;
    compare(bench, report, &rust, None)
}

fn compare(
    bench: &Bench<'_>,
    report: &mut Report,
    guest: &Guest,
    extism: Option<&Extism>,
) -> Result<()> {
    let project = Project::empty(bench.scratch)?;
    project.add(guest.file, &guest.component)?;
    let host = OpenHost::open(project.path())?;
    let on_demand_host = OpenHost::open_with_pool(project.path(), 0)?;
    let bare = |allocator| {
        BareLoop::new(allocator, &guest.component, guest.operation, guest.input.to_string())
    };
    let (on_demand, pooling) = (bare(Allocator::OnDemand)?, bare(Allocator::Pooling)?);
    let mut kept = extism.map(Extism::plugin).transpose()?;
    let mut contenders = vec![
        Contender::new(OPHOST, || sample(|| call(&host, guest))),
        Contender::new(POOLING, || sample(|| pooling.call())),
        Contender::new(OPHOST_ON_DEMAND, || sample(|| call(&on_demand_host, guest))),
        Contender::new(ON_DEMAND, || sample(|| on_demand.call())),
    ];
    if let (Some(extism), Some(kept)) = (extism, &mut kept) {
        contenders.push(Contender::new(FRESH, || sample(|| extism.plugin()?.call())));
        contenders.push(Contender::new(KEPT, || sample(|| kept.call())));
    }
    let measured = interleave(&bench.probe, bench.options.rounds, contenders)?;
    let pooled = format!("{}, instance pool", guest.title);
    let on_demand = format!("{}, on demand", guest.title);
    for (case, ours, peer, goal) in [
        (&pooled, OPHOST, POOLING, Some(GOAL)),
        (&on_demand, OPHOST_ON_DEMAND, ON_DEMAND, Some(GOAL)),
        (&pooled, OPHOST, FRESH, None),
        (&pooled, OPHOST, KEPT, None),
    ] {
        if measured.contains(peer) {
            let ours = measured.series(ours, 0, Unit::Seconds)?.named(OPHOST);
            let row = Row::new(case, ours).beside(measured.series(peer, 0, Unit::Seconds)?);
            report.add(match goal {
                Some(goal) => row.goal(goal),
                None => row,
            });
        }
    }
    Ok(())
}

fn call(host: &OpenHost, guest: &Guest) -> Result<()> {
    let request = Request::new(guest.operation, guest.input.clone()).record(false);
    succeeded(host.runtime.block_on(host.host.run(request))?).map(drop)
}

/// Returns the median time of a call.
fn sample(mut call: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    let times = (0..CALLS).map(|_| {
        let started = Instant::now();
        call()?;
        Ok(started.elapsed().as_secs_f64())
    });
    Ok(vec![median(&times.collect::<Result<Vec<_>>>()?)])
}

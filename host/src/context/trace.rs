//! The W3C's trace context and baggage, as variables.
//!
//! <https://www.w3.org/TR/trace-context/>, <https://www.w3.org/TR/baggage/>

use std::collections::BTreeSet;

use serde::Serialize;

use super::environment::{Environment, InvalidValue};

/// The longest list of a trace's states, in bytes, and the most members of it.
const MAX_STATE: (usize, usize) = (4096, 32);
/// The same of baggage.
const MAX_BAGGAGE: (usize, usize) = (8192, 64);

/// The trace that a run is a child in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// The trace and the parent's span.
    pub traceparent: Option<String>,
    /// What tracing systems add to it; there is none without a `traceparent`.
    pub tracestate: Option<String>,
    /// What the caller hands on, whether there is a trace or not.
    pub baggage: Option<String>,
    /// The variables that say so.
    pub detected_from: Vec<String>,
}

pub(super) fn detect(environment: &Environment<'_>) -> Option<Trace> {
    let mut trace = Trace::default();
    let mut read = |variable, is_valid: fn(&str) -> bool| {
        let judge =
            |value: String| if is_valid(&value) { Ok(value) } else { Err(InvalidValue::NotW3c) };
        let value = environment.parsed(variable, judge)?;
        trace.detected_from.push(variable.to_owned());
        Some(value)
    };
    let traceparent = read("TRACEPARENT", is_traceparent);
    // Without its parent a state belongs to nothing.
    let tracestate = traceparent.as_ref().and_then(|_| read("TRACESTATE", is_tracestate));
    let baggage = read("BAGGAGE", is_baggage);
    let trace = Trace { traceparent, tracestate, baggage, ..trace };
    (!trace.detected_from.is_empty()).then_some(trace)
}

/// `00-` trace `-` span `-` flags, in lower-case hexadecimal; later versions may go on.
fn is_traceparent(text: &str) -> bool {
    let is_hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    let mut parts = text.splitn(5, '-');
    let mut next = || parts.next().unwrap_or_default();
    let (version, trace, span, flags) = (next(), next(), next(), next());
    let goes_on = parts.next().is_some();
    is_hex(version, 2)
        && version != "ff"
        && is_hex(trace, 32)
        && !is_zero(trace)
        && is_hex(span, 16)
        && !is_zero(span)
        && is_hex(flags, 2)
        && (version != "00" || !goes_on)
        && text.len() <= 512
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_tracestate(text: &str) -> bool {
    let mut keys = BTreeSet::new();
    is_list(text, MAX_STATE, |member| {
        // An empty member is allowed and means nothing.
        member.is_empty()
            || member.split_once('=').is_some_and(|(key, value)| {
                is_state_key(key) && is_state_value(value) && keys.insert(key.to_owned())
            })
    })
}

fn is_state_key(key: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/@".contains(&b);
    let first = key.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    first && key.len() <= 256 && key.bytes().all(allowed) && key.matches('@').count() <= 1
}

fn is_state_value(value: &str) -> bool {
    let allowed = |b: u8| matches!(b, b' '..=b'~') && b != b',' && b != b'=';
    !value.is_empty() && value.len() <= 256 && value.bytes().all(allowed)
}

fn is_baggage(text: &str) -> bool {
    is_list(text, MAX_BAGGAGE, |member| {
        let (entry, properties) = match member.split_once(';') {
            Some((entry, properties)) => (entry, Some(properties)),
            None => (member, None),
        };
        let is_entry =
            |(key, value): (&str, &str)| is_token(key.trim()) && is_baggage_value(value.trim());
        let is_property = |property: &str| match property.split_once('=') {
            Some(pair) => is_entry(pair),
            None => is_token(property.trim()),
        };
        entry.split_once('=').is_some_and(is_entry)
            && properties.is_none_or(|properties| properties.split(';').all(is_property))
    })
}

/// A token of HTTP.
fn is_token(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(allowed)
}

fn is_baggage_value(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() && !b"\",;\\".contains(&b))
}

/// Returns whether every member of a list with commas is right, and the list not too long.
fn is_list(
    text: &str,
    (bytes, members): (usize, usize),
    is_member: impl FnMut(&str) -> bool,
) -> bool {
    let blank = [' ', '\t'];
    text.len() <= bytes
        && text.split(',').count() <= members
        && text.split(',').map(|member| member.trim_matches(blank)).all(is_member)
}

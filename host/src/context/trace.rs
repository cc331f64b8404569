//! W3C Trace Context and Baggage in environment variables.
//!
//! <https://www.w3.org/TR/trace-context/>, <https://www.w3.org/TR/baggage/>

use std::collections::BTreeSet;

use serde::Serialize;

use super::environment::{Environment, InvalidValue};

/// Maximum length of `tracestate` in bytes, and its maximum number of members.
const MAX_STATE: (usize, usize) = (4096, 32);
/// Maximum length of `baggage` in bytes, and its maximum number of members.
const MAX_BAGGAGE: (usize, usize) = (8192, 64);

/// Trace context of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// Trace id and parent span.
    pub traceparent: Option<String>,
    /// Data of tracing systems; `None` without a `traceparent`.
    pub tracestate: Option<String>,
    /// Baggage of the caller, with or without a trace.
    pub baggage: Option<String>,
    /// Variables that the context was read from.
    pub detected_from: Vec<String>,
}

pub(super) fn detect(environment: &Environment<'_>) -> Option<Trace> {
    let mut trace = Trace::default();
    let mut read = |variable, is_valid: fn(&str) -> bool| {
        let validate =
            |value: String| if is_valid(&value) { Ok(value) } else { Err(InvalidValue::NotW3c) };
        let value = environment.parsed(variable, validate)?;
        trace.detected_from.push(variable.to_owned());
        Some(value)
    };
    let traceparent = read("TRACEPARENT", is_traceparent);
    // The specification ignores `tracestate` without `traceparent`.
    let tracestate = traceparent.as_ref().and_then(|_| read("TRACESTATE", is_tracestate));
    let baggage = read("BAGGAGE", is_baggage);
    let trace = Trace { traceparent, tracestate, baggage, ..trace };
    (!trace.detected_from.is_empty()).then_some(trace)
}

/// Format: `00-` trace `-` span `-` flags, in lower-case hexadecimal. Later versions can have
/// more parts.
fn is_traceparent(text: &str) -> bool {
    let is_hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    let mut parts = text.splitn(5, '-');
    let mut next = || parts.next().unwrap_or_default();
    let (version, trace, span, flags) = (next(), next(), next(), next());
    let has_more_parts = parts.next().is_some();
    is_hex(version, 2)
        && version != "ff"
        && is_hex(trace, 32)
        && !is_zero(trace)
        && is_hex(span, 16)
        && !is_zero(span)
        && is_hex(flags, 2)
        && (version != "00" || !has_more_parts)
        && text.len() <= 512
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_tracestate(text: &str) -> bool {
    let mut keys = BTreeSet::new();
    is_list(text, MAX_STATE, |member| {
        // The specification allows empty members and ignores them.
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

/// Returns whether a text is a token of HTTP.
fn is_token(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(allowed)
}

fn is_baggage_value(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() && !b"\",;\\".contains(&b))
}

/// Returns whether a comma-separated list is within its limits and every member is valid.
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

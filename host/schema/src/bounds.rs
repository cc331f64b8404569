//! How large a schema may be.

use serde_json::Value;

use super::compiled::SchemaError;
use super::graph::Graph;

/// The largest schema as JSON text, in bytes.
const MAX_TEXT: usize = 64 << 10;
/// How many lists and objects of a schema may lie inside one another.
pub(super) const MAX_DEPTH: usize = 64;
/// How many subschemas a schema may have; each takes about a kilobyte of memory.
pub(super) const MAX_SUBSCHEMAS: usize = 5_000;
/// To how many places all dynamic references of a schema may lead, together.
const MAX_JOINED: usize = 50_000;
/// How many properties a schema may describe.
const MAX_PROPERTIES: usize = 2_000;
/// How large all patterns of a schema may be together when compiled, in bytes.
const MAX_PATTERNS: usize = 1 << 20;

/// Checks the size of a schema, before anything else is done with it.
///
/// # Errors
///
/// Returns [`SchemaError`] with the bound that it breaks.
pub(super) fn check(document: &Value) -> Result<(), SchemaError> {
    check_depth(document, MAX_DEPTH).map_err(|place| {
        let problem = format!("more than {MAX_DEPTH} lists and objects lie inside one another");
        SchemaError::at(place, problem)
    })?;
    // Its length, but not its text.
    let mut length = Length(0);
    if serde_json::to_writer(&mut length, document).is_err() {
        let size = bytesize::ByteSize(MAX_TEXT as u64);
        return Err(SchemaError::here(format!("larger than {size} as JSON")));
    }
    Ok(())
}

/// Returns the pointer to what is too deep.
fn check_depth(value: &Value, left: usize) -> Result<(), String> {
    let Some(deeper) = left.checked_sub(1) else {
        return if value.is_array() || value.is_object() { Err(String::new()) } else { Ok(()) };
    };
    match value {
        Value::Array(items) => items.iter().enumerate().try_for_each(|(place, item)| {
            check_depth(item, deeper).map_err(|rest| format!("/{place}{rest}"))
        }),
        Value::Object(members) => members.iter().try_for_each(|(name, inner)| {
            let place = || name.replace('~', "~0").replace('/', "~1");
            check_depth(inner, deeper).map_err(|rest| format!("/{}{rest}", place()))
        }),
        _ => Ok(()),
    }
}

/// Checks how much a schema describes.
///
/// # Errors
///
/// Returns [`SchemaError`] with the bound that it breaks.
pub(super) fn check_graph(graph: &Graph) -> Result<(), SchemaError> {
    if graph.nodes.len() > MAX_SUBSCHEMAS {
        let problem = format!("has more than {MAX_SUBSCHEMAS} subschemas");
        return Err(SchemaError::here(problem));
    }
    let properties: usize = graph.nodes.iter().map(|node| node.properties.len()).sum();
    if properties > MAX_PROPERTIES {
        let problem = format!("describes {properties} properties, more than {MAX_PROPERTIES}");
        return Err(SchemaError::here(problem));
    }
    Ok(())
}

/// Checks the size of all patterns together, in bytes when compiled.
///
/// # Errors
///
/// Returns [`SchemaError`] if that is too much.
pub(super) fn check_patterns(size: usize) -> Result<(), SchemaError> {
    if size > MAX_PATTERNS {
        let most = bytesize::ByteSize(MAX_PATTERNS as u64);
        return Err(SchemaError::here(format!("its patterns need more than {most} when compiled")));
    }
    Ok(())
}

/// Checks to how many places dynamic references lead.
///
/// # Errors
///
/// Returns [`SchemaError`] if that is too much.
pub(super) fn check_joined(places: usize) -> Result<(), SchemaError> {
    if places > MAX_JOINED {
        let problem = format!("its dynamic references lead to more than {MAX_JOINED} places");
        return Err(SchemaError::here(problem));
    }
    Ok(())
}

/// Counts what is written, up to the largest schema.
struct Length(usize);

impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        if self.0 > MAX_TEXT {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Schema;
    use super::*;

    fn refused(document: Value) -> String {
        Schema::compile(document).unwrap_err().to_string()
    }

    #[test]
    fn a_schema_has_at_most_64_kib() {
        let of = |length: usize| json!({"title": "x".repeat(length - r#"{"title":""}"#.len())});
        Schema::compile(of(64 << 10)).unwrap();
        let message = "not a valid schema at `/`: larger than 64.0 KiB as JSON";
        assert_eq!(refused(of((64 << 10) + 1)), message);
    }

    #[test]
    fn a_schema_is_at_most_64_levels_deep() {
        let of =
            |levels: usize| (0..levels / 2).fold(json!({}), |inner, _| json!({"allOf": [inner]}));
        let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(Schema::compile(json!({"default": deep(63)})).is_ok());
        assert!(
            refused(json!({"default": deep(64)}))
                .ends_with("`: more than 64 lists and objects lie inside one another")
        );
        assert!(refused(of(100)).contains("bytes, cut]`: more than 64 lists"));
    }

    #[test]
    fn a_schema_describes_at_most_2000_properties() {
        let of = |count: usize| {
            let all: serde_json::Map<_, _> =
                (0..count).map(|name| (name.to_string(), json!({}))).collect();
            json!({"properties": all})
        };
        Schema::compile(of(2_000)).unwrap();
        assert_eq!(
            refused(of(2_001)),
            "not a valid schema at `/`: describes 2001 properties, more than 2000"
        );
    }

    #[test]
    fn a_schema_has_at_most_5000_subschemas() {
        let of = |count: usize| {
            let part = |count| json!({"anyOf": vec![json!({}); count]});
            let rest = count - 1 - 3;
            json!({"$defs": {"a": part(2_000), "b": part(2_000), "c": part(rest - 4_000)}})
        };
        Schema::compile(of(5_000)).unwrap();
        assert_eq!(refused(of(5_001)), "not a valid schema at `/`: has more than 5000 subschemas");
    }

    #[test]
    fn dynamic_references_lead_to_a_bounded_number_of_places() {
        let of = |count: usize| {
            let part = json!({"$dynamicAnchor": "a", "items": {"$dynamicRef": "#a"}});
            json!({"$defs": {"a": {"anyOf": vec![part; count]}}})
        };
        Schema::compile(of(200)).unwrap();
        assert!(refused(of(300)).ends_with("dynamic references lead to more than 50000 places"));
    }

    #[test]
    fn all_patterns_together_are_bounded() {
        // Each is counted with the next of the sizes that are tried.
        let of = |count: usize| {
            let all: Vec<_> = (0..count)
                .map(|name| json!({"pattern": format!("[ab]{{{}}}", 900 + name)}))
                .collect();
            json!({"properties": {"a": {"anyOf": all}}})
        };
        Schema::compile(of(3)).unwrap();
        let message = refused(of(200));
        assert!(
            message.ends_with("its patterns need more than 1.0 MiB when compiled"),
            "{message}"
        );
    }
}

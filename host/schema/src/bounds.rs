//! Limits of the size of a schema.

use serde_json::Value;

use super::compiled::SchemaError;
use super::graph::Graph;

/// Maximum size of the JSON text of a schema, in bytes.
const MAX_TEXT: usize = 64 << 10;
/// Maximum nesting of lists and objects.
pub(super) const MAX_DEPTH: usize = 64;
/// Maximum number of subschemas. Each takes about 1 KB of memory.
pub(super) const MAX_SUBSCHEMAS: usize = 5_000;
/// Maximum number of targets of all dynamic references together.
const MAX_JOINED: usize = 50_000;
/// Maximum number of described properties.
const MAX_PROPERTIES: usize = 2_000;
/// Maximum compiled size of all patterns together, in bytes.
const MAX_PATTERNS: usize = 1 << 20;

/// Checks the size of a schema, before any other step.
///
/// # Errors
///
/// Returns [`SchemaError`] with the exceeded limit.
pub(super) fn check(document: &Value) -> Result<(), SchemaError> {
    check_depth(document, MAX_DEPTH).map_err(|place| {
        let problem = format!("more than {MAX_DEPTH} nested lists and objects");
        SchemaError::at(place, problem)
    })?;
    // Only the length of the text is needed.
    let mut length = Length(0);
    if serde_json::to_writer(&mut length, document).is_err() {
        let size = bytesize::ByteSize(MAX_TEXT as u64);
        return Err(SchemaError::here(format!("larger than {size} as JSON")));
    }
    Ok(())
}

/// Returns the pointer to the part that is nested too deep.
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

/// Checks the number of subschemas and properties.
///
/// # Errors
///
/// Returns [`SchemaError`] with the exceeded limit.
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

/// Checks the compiled size of all patterns together, in bytes.
///
/// # Errors
///
/// Returns [`SchemaError`] if the limit is exceeded.
pub(super) fn check_patterns(size: usize) -> Result<(), SchemaError> {
    if size > MAX_PATTERNS {
        let most = bytesize::ByteSize(MAX_PATTERNS as u64);
        return Err(SchemaError::here(format!("the patterns need more than {most} when compiled")));
    }
    Ok(())
}

/// Checks the number of targets of dynamic references.
///
/// # Errors
///
/// Returns [`SchemaError`] if the limit is exceeded.
pub(super) fn check_joined(places: usize) -> Result<(), SchemaError> {
    if places > MAX_JOINED {
        let problem = format!("its dynamic references have more than {MAX_JOINED} targets");
        return Err(SchemaError::here(problem));
    }
    Ok(())
}

/// Counts written bytes, up to the maximum size of a schema.
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

    fn rejection_of(document: Value) -> String {
        Schema::compile(document).unwrap_err().to_string()
    }

    #[test]
    fn a_schema_has_at_most_64_kib() {
        let of = |length: usize| json!({"title": "x".repeat(length - r#"{"title":""}"#.len())});
        Schema::compile(of(64 << 10)).unwrap();
        let message = "not a valid schema at `/`: larger than 64.0 KiB as JSON";
        assert_eq!(rejection_of(of((64 << 10) + 1)), message);
    }

    #[test]
    fn a_schema_is_at_most_64_levels_deep() {
        let of =
            |levels: usize| (0..levels / 2).fold(json!({}), |inner, _| json!({"allOf": [inner]}));
        let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(Schema::compile(json!({"default": deep(63)})).is_ok());
        assert!(
            rejection_of(json!({"default": deep(64)}))
                .ends_with("`: more than 64 nested lists and objects")
        );
        assert!(rejection_of(of(100)).contains("bytes, cut]`: more than 64 nested lists"));
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
            rejection_of(of(2_001)),
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
        assert_eq!(
            rejection_of(of(5_001)),
            "not a valid schema at `/`: has more than 5000 subschemas"
        );
    }

    #[test]
    fn dynamic_references_have_a_limited_number_of_targets() {
        let of = |count: usize| {
            let part = json!({"$dynamicAnchor": "a", "items": {"$dynamicRef": "#a"}});
            json!({"$defs": {"a": {"anyOf": vec![part; count]}}})
        };
        Schema::compile(of(200)).unwrap();
        assert!(rejection_of(of(300)).ends_with("dynamic references have more than 50000 targets"));
    }

    #[test]
    fn the_size_of_all_patterns_together_is_limited() {
        // Each pattern counts with the next larger size that is tried.
        let of = |count: usize| {
            let all: Vec<_> = (0..count)
                .map(|name| json!({"pattern": format!("[ab]{{{}}}", 900 + name)}))
                .collect();
            json!({"properties": {"a": {"anyOf": all}}})
        };
        Schema::compile(of(3)).unwrap();
        let message = rejection_of(of(200));
        assert!(
            message.ends_with("the patterns need more than 1.0 MiB when compiled"),
            "{message}"
        );
    }
}

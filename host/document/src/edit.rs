//! Sets fields and merges patches.

use serde_json::{Map, Value};

use crate::body::{Body, BodyError, MAX_BODY, MAX_LEVELS, is_within, type_name};
use crate::json;
use crate::path::{Part, Path, PathError};
use crate::text;

/// Maximum text of one edit, in bytes: the paths and values together, or the patch.
pub const MAX_CHANGE: usize = 4 * MAX_BODY;

/// Returns the body with fields set, in the given order.
///
/// A null is a value like any other. Missing objects along a path are created. The index after the
/// last item of a list appends an item.
///
/// # Errors
///
/// Returns [`EditError`] if:
///
/// - a path cannot be resolved,
/// - two paths are equal, or one is a prefix of another,
/// - a path begins with `_id`,
/// - the result is not a valid [`Body`].
pub fn set(body: &Body, fields: &[(Path, Value)]) -> Result<Body, EditError> {
    if fields.iter().any(|(path, _)| path.is_id()) {
        return Err(EditError::Id);
    }
    check_conflicts(fields)?;
    let mut edited = Map::clone(body);
    for (path, value) in fields {
        *resolve(&mut edited, path)? = value.clone();
    }
    edited.try_into().map_err(EditError::Body)
}

/// Parses the fields to set, each a path and a value in JSON text.
///
/// # Errors
///
/// Returns [`EditError`] if a path is invalid, a value is not JSON, or the paths and values have
/// more than 4 MiB together.
pub fn read_fields(fields: &[(String, String)]) -> Result<Vec<(Path, Value)>, EditError> {
    check_size(fields.iter().map(|(path, value)| path.len() + value.len()).sum())?;
    let field = |(path, value): &(String, String)| {
        let value = read(value, || format!("the value for `{}`", text::quote(path)))?;
        Ok((Path::parse(path).map_err(EditError::Path)?, value))
    };
    fields.iter().map(field).collect()
}

/// Parses a patch from JSON text.
///
/// # Errors
///
/// Returns [`EditError`] if the text is not JSON, or has more than 4 MiB.
pub fn read_patch(patch: &str) -> Result<Value, EditError> {
    check_size(patch.len())?;
    read(patch, || "the patch".to_owned())
}

/// Rejects an edit that is too large, before it is parsed.
fn check_size(size: usize) -> Result<(), EditError> {
    if size > MAX_CHANGE { Err(EditError::TooLarge) } else { Ok(()) }
}

fn read(text: &str, what: impl FnOnce() -> String) -> Result<Value, EditError> {
    json::parse(text).map_err(|error| EditError::NotJson { what: what(), why: error.to_string() })
}

/// Rejects paths if one of them is equal to another, or a prefix of another.
fn check_conflicts(fields: &[(Path, Value)]) -> Result<(), EditError> {
    // In sorted order, a path comes directly before a path that it is a prefix of.
    let mut paths: Vec<_> = fields.iter().map(|(path, _)| path).collect();
    paths.sort_by_key(|path| path.parts());
    let conflict = paths.windows(2).find(|pair| pair[1].parts().starts_with(pair[0].parts()));
    conflict.map_or(Ok(()), |pair| {
        Err(EditError::Conflict { first: pair[0].to_string(), second: pair[1].to_string() })
    })
}

/// Returns the value at a path, and creates missing values along the path.
fn resolve<'v>(
    fields: &'v mut Map<String, Value>,
    path: &Path,
) -> Result<&'v mut Value, EditError> {
    let (first, rest) = path.split_first();
    let mut value = field(fields, first, rest.is_empty());
    for (number, part) in rest.iter().enumerate() {
        let is_last = number + 1 == rest.len();
        let path_and_prefix = || (path.to_string(), path.prefix(number + 1));
        value = match (value, part.index) {
            (Value::Object(fields), _) => field(fields, part, is_last),
            (Value::Array(items), Some(index)) => item(items, index, is_last)
                .map_err(|length| EditError::IndexOutOfRange { path: path_and_prefix(), length })?,
            (other, _) => {
                return Err(EditError::Unresolvable {
                    path: path_and_prefix(),
                    found: type_name(other),
                });
            }
        };
    }
    Ok(value)
}

/// Returns a field of an object, and creates it if it is missing.
fn field<'v>(fields: &'v mut Map<String, Value>, part: &Part, is_last: bool) -> &'v mut Value {
    fields.entry(&*part.name).or_insert_with(|| new_value(is_last))
}

/// Returns an item of a list, or appends one if the index is the length of the list. For a larger
/// index, the error is the length.
fn item(items: &mut Vec<Value>, index: usize, is_last: bool) -> Result<&mut Value, usize> {
    let length = items.len();
    if index == length {
        items.push(new_value(is_last));
    }
    items.get_mut(index).ok_or(length)
}

fn new_value(is_last: bool) -> Value {
    if is_last { Value::Null } else { Value::Object(Map::new()) }
}

/// Merges a patch into a body (RFC 7396): null removes a field, and a list replaces the old value.
///
/// # Errors
///
/// Returns [`EditError`] if the patch is not an object, the patch has a field `_id`, or the result
/// is not a valid [`Body`].
pub fn merge(body: &Body, patch: &Value) -> Result<Body, EditError> {
    let Some(fields) = patch.as_object() else {
        return Err(EditError::NotAnObject(type_name(patch)));
    };
    if fields.contains_key(crate::body::ID) {
        return Err(EditError::Id);
    }
    if !is_within(patch, MAX_LEVELS) {
        return Err(EditError::Body(BodyError::TooDeep));
    }
    let mut merged = Map::clone(body);
    apply(&mut merged, fields);
    merged.try_into().map_err(EditError::Body)
}

/// Merges a patch of bounded depth.
fn apply(fields: &mut Map<String, Value>, patch: &Map<String, Value>) {
    // Removes all fields in one pass. The map preserves the order of its fields, so removing a
    // single field takes as long as this pass.
    fields.retain(|name, _| !patch.get(name).is_some_and(Value::is_null));
    for (name, value) in patch {
        match value {
            Value::Null => {}
            Value::Object(patch) => {
                let field = fields.entry(name).or_insert(Value::Null);
                if !field.is_object() {
                    *field = Value::Object(Map::new());
                }
                if let Value::Object(fields) = field {
                    apply(fields, patch);
                }
            }
            other => drop(fields.insert(name.clone(), other.clone())),
        }
    }
}

/// The reason why a document cannot be edited.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// A change of the id of the document.
    #[error("cannot set `_id`: the id of a document cannot be changed")]
    Id,
    /// Two paths of one call, of which one is equal to the other or a prefix of the other.
    #[error("cannot set both `{}` and `{}`", text::quote(first), text::quote(second))]
    Conflict {
        /// The shorter path.
        first: String,
        /// The other path.
        second: String,
    },
    /// A path through a value that has no fields or items with the next part as name or index.
    #[error("cannot resolve path `{}`: `{}` is {found}", text::quote(&path.0), text::quote(&path.1))]
    Unresolvable {
        /// The path, and its prefix that ends at the unsuitable value.
        path: (String, String),
        /// The type of that value.
        found: &'static str,
    },
    /// An index past the end of a list.
    #[error(
        "cannot resolve path `{}`: the list `{}` has {length} items, so the next index is {length}",
        text::quote(&path.0),
        text::quote(&path.1)
    )]
    IndexOutOfRange {
        /// The path, and its prefix that ends at the list.
        path: (String, String),
        /// Number of items of the list.
        length: usize,
    },
    /// A text that is not strict JSON.
    #[error("{what} is not JSON: {}", text::single_line(why))]
    NotJson {
        /// The name of the text in the message.
        what: String,
        /// The message of the parser.
        why: String,
    },
    /// Paths and values, or a patch, over [`MAX_CHANGE`].
    #[error("the change has more than {} MiB of text", MAX_CHANGE >> 20)]
    TooLarge,
    /// An invalid path.
    #[error(transparent)]
    Path(PathError),
    /// A patch that is not an object; the value is its type.
    #[error("the patch is {0}, not an object")]
    NotAnObject(&'static str),
    /// A result that is not a valid [`Body`].
    #[error("the changed document is invalid: {0}")]
    Body(BodyError),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(value: Value) -> Body {
        value.try_into().unwrap()
    }

    #[test]
    fn parse_errors_name_the_field_or_the_patch() {
        let error = |path: &str, value: &str| {
            read_fields(&[(path.to_owned(), value.to_owned())]).unwrap_err().to_string()
        };
        let why = "the value for `a.b` is not JSON: EOF while parsing a list at line 1 column 1";
        assert_eq!(error("a.b", "["), why);
        assert_eq!(error("a..b", "1"), Path::parse("a..b").unwrap_err().to_string());
        let why = "the patch is not JSON: unexpected `x` at line 1 column 1";
        assert_eq!(read_patch("x").unwrap_err().to_string(), why);
        let long = format!("\"{}\"", "x".repeat(MAX_CHANGE));
        assert_eq!(error("a", &long), "the change has more than 4 MiB of text");
        assert_eq!(read_patch(&long).unwrap_err().to_string(), error("a", &long));
    }

    /// Sets fields of a document, given as lists of path and value.
    fn set_all(document: Value, fields: &[(&str, Value)]) -> Result<Value, String> {
        let fields: Vec<_> = fields
            .iter()
            .map(|(path, value)| (Path::parse(path).unwrap(), value.clone()))
            .collect();
        let edited = set(&body(document), &fields).map_err(|error| error.to_string())?;
        Ok(Value::Object(Map::clone(&edited)))
    }

    #[test]
    fn fields_are_set_at_their_paths() {
        let document = json!({"a": {"b": 1}, "list": [1, {"x": 1}]});
        let fields = [
            ("a.b", json!(null)),
            ("a.c", json!([])),
            ("new.made.deep", json!(1)),
            ("list.0", json!("one")),
            ("list.1.x", json!(2)),
            ("list.2", json!(3)),
            ("list.3.y", json!(4)),
            ("z.0", json!("a name, not an index")),
        ];
        let expected = json!({
            "a": {"b": null, "c": []}, "list": ["one", {"x": 2}, 3, {"y": 4}],
            "new": {"made": {"deep": 1}}, "z": {"0": "a name, not an index"}
        });
        assert_eq!(set_all(document, &fields), Ok(expected));
    }

    #[test]
    fn unresolvable_path_is_reported_with_the_value_that_ends_it() {
        let document = json!({"text": "x", "null": null, "list": [[], 2]});
        let error = |path: &str| set_all(document.clone(), &[(path, json!(1))]).unwrap_err();
        assert_eq!(error("text.a"), "cannot resolve path `text.a`: `text` is a text");
        assert_eq!(error("null.a.b"), "cannot resolve path `null.a.b`: `null` is null");
        assert_eq!(error("list.a"), "cannot resolve path `list.a`: `list` is a list");
        assert_eq!(error("list.1.a"), "cannot resolve path `list.1.a`: `list.1` is a number");
        assert_eq!(
            error("list.3"),
            "cannot resolve path `list.3`: the list `list` has 2 items, so the next index is 2"
        );
        assert_eq!(
            error("list.0.1"),
            "cannot resolve path `list.0.1`: the list `list.0` has 0 items, so the next index is 0"
        );
        assert!(error("list.18446744073709551615").contains("has 2 items"));
    }

    #[test]
    fn equal_or_nested_paths_cannot_both_be_set() {
        let set_paths = |paths: &[&str]| {
            let fields: Vec<_> = paths.iter().map(|path| (*path, json!(1))).collect();
            set_all(json!({}), &fields)
        };
        let conflict = |paths: &str| Err(format!("cannot set both {paths}"));
        assert_eq!(set_paths(&["a.b", "x", "a-c", "a"]), conflict("`a` and `a.b`"));
        assert_eq!(set_paths(&["a.b.c", "a.b"]), conflict("`a.b` and `a.b.c`"));
        assert_eq!(set_paths(&["a", "a"]), conflict("`a` and `a`"));
        assert!(set_paths(&["a.b", "a.bc", "ab", "a.c"]).is_ok());
    }

    #[test]
    fn set_rejects_results_that_are_not_valid_bodies() {
        let error = |path: &str, value: Value| set_all(json!({}), &[(path, value)]).unwrap_err();
        let id = "cannot set `_id`: the id of a document cannot be changed";
        assert_eq!((error("_id", json!(1)), error("_id.x", json!(1))), (id.into(), id.into()));
        assert!(set_all(json!({}), &[("a._id", json!(1))]).is_ok(), "only the top level has an id");
        let deep = vec!["a"; 64].join(".");
        assert!(set_all(json!({}), &[(&deep, json!(1))]).is_ok());
        assert_eq!(
            error(&deep, json!({})),
            "the changed document is invalid: the body has more than 64 levels"
        );
        let large = json!("x".repeat(1 << 20));
        assert_eq!(
            error("a", large),
            "the changed document is invalid: the body is larger than 1 MiB"
        );
    }

    #[test]
    fn merge_follows_the_examples_of_rfc_7396() {
        // The examples of the appendix of the RFC in which both values are objects.
        for (original, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
            (
                json!({
                    "title": "Goodbye!", "author": {"givenName": "John", "familyName": "Doe"},
                    "tags": ["example", "sample"], "content": "This will be unchanged"
                }),
                json!({
                    "title": "Hello!", "phoneNumber": "+01-123-456-7890",
                    "author": {"familyName": null}, "tags": ["example"]
                }),
                json!({
                    "title": "Hello!", "author": {"givenName": "John"}, "tags": ["example"],
                    "content": "This will be unchanged", "phoneNumber": "+01-123-456-7890"
                }),
            ),
        ] {
            let merged = merge(&body(original), &patch).unwrap();
            assert_eq!(merged.text(), result.to_string(), "the order of fields is preserved");
        }
    }

    #[test]
    fn merge_rejects_results_that_are_not_valid_bodies() {
        let error = |patch: Value| merge(&Body::default(), &patch).unwrap_err().to_string();
        // The examples of the appendix in which the patch is not an object.
        assert_eq!(error(json!(["c"])), "the patch is a list, not an object");
        assert_eq!(error(json!(null)), "the patch is null, not an object");
        assert_eq!(error(json!("bar")), "the patch is a text, not an object");
        assert!(error(json!({"_id": null})).starts_with("cannot set `_id`"));
        let deep = |levels| (1..levels).fold(json!({"a": 1}), |inner, _| json!({"a": inner}));
        assert!(merge(&Body::default(), &deep(64)).is_ok());
        assert_eq!(
            error(deep(65)),
            "the changed document is invalid: the body has more than 64 levels"
        );
        assert!(error(json!({"a": "x".repeat(1 << 20)})).ends_with("larger than 1 MiB"));
        assert!(merge(&Body::default(), &json!({"a": {"_id": 1}})).is_ok());
    }

    #[test]
    fn removing_many_fields_takes_linear_time() {
        let many: Map<_, _> = (0..80_000).map(|n| (n.to_string(), json!(0))).collect();
        let none: Map<_, _> = many.keys().map(|name| (name.clone(), Value::Null)).collect();
        let began = std::time::Instant::now();
        let merged = merge(&body(Value::Object(many)), &Value::Object(none)).unwrap();
        assert!(merged.is_empty());
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

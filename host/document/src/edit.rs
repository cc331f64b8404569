//! Sets fields and merges patches.

use serde_json::{Map, Value};

use crate::body::{Body, BodyError, MAX_BODY, MAX_LEVELS, is_within, type_name};
use crate::json;
use crate::path::{Part, Path, PathError};
use crate::text;

/// The most text of one change, in bytes: that of names and values, or of a patch.
pub const MAX_CHANGE: usize = 4 * MAX_BODY;

/// Returns a document with fields set, one after the other, null included, each at its path.
/// Objects that are missing on the way are made; a list grows by one at its end.
///
/// # Errors
///
/// Returns [`EditError`] if a path does not lead to its place, two paths are the same or one
/// leads through the other, one is that of the id, or the result is not a [`Body`].
pub fn set(body: &Body, fields: &[(Path, Value)]) -> Result<Body, EditError> {
    if fields.iter().any(|(path, _)| path.is_id()) {
        return Err(EditError::Id);
    }
    check_conflicts(fields)?;
    let mut edited = Map::clone(body);
    for (path, value) in fields {
        *place(&mut edited, path)? = value.clone();
    }
    edited.try_into().map_err(EditError::Body)
}

/// Reads the fields that are to be set: of each its path, and its value as JSON text.
///
/// # Errors
///
/// Returns [`EditError`] if a path is none, a value is not JSON, or there is more text than 4 MiB.
pub fn read_fields(fields: &[(String, String)]) -> Result<Vec<(Path, Value)>, EditError> {
    check_size(fields.iter().map(|(path, value)| path.len() + value.len()).sum())?;
    let field = |(path, value): &(String, String)| {
        let value = read(value, || format!("the value for `{}`", text::quote(path)))?;
        Ok((Path::parse(path).map_err(EditError::Path)?, value))
    };
    fields.iter().map(field).collect()
}

/// Reads a patch from JSON text.
///
/// # Errors
///
/// Returns [`EditError`] if it is not JSON, or has more than 4 MiB.
pub fn read_patch(patch: &str) -> Result<Value, EditError> {
    check_size(patch.len())?;
    read(patch, || "the patch".to_owned())
}

/// Refuses a change before it is read that no document has room for.
fn check_size(size: usize) -> Result<(), EditError> {
    if size > MAX_CHANGE { Err(EditError::TooLarge) } else { Ok(()) }
}

fn read(text: &str, what: impl FnOnce() -> String) -> Result<Value, EditError> {
    json::parse(text).map_err(|error| EditError::NotJson { what: what(), why: error.to_string() })
}

/// Refuses paths of which one is another's beginning: in the order of their parts they stand
/// side by side.
fn check_conflicts(fields: &[(Path, Value)]) -> Result<(), EditError> {
    let mut paths: Vec<_> = fields.iter().map(|(path, _)| path).collect();
    paths.sort_by_key(|path| path.parts());
    let conflict = paths.windows(2).find(|pair| pair[1].parts().starts_with(pair[0].parts()));
    conflict.map_or(Ok(()), |pair| {
        Err(EditError::Conflict { first: pair[0].to_string(), second: pair[1].to_string() })
    })
}

/// Returns the place that a path leads to, and makes what is missing on the way.
fn place<'v>(fields: &'v mut Map<String, Value>, path: &Path) -> Result<&'v mut Value, EditError> {
    let (first, rest) = path.split_first();
    let mut place = field(fields, first, rest.is_empty());
    for (number, part) in rest.iter().enumerate() {
        let is_last = number + 1 == rest.len();
        let way = || (path.to_string(), path.beginning(number + 1));
        place = match (place, part.index) {
            (Value::Object(fields), _) => field(fields, part, is_last),
            (Value::Array(items), Some(wanted)) => item(items, wanted, is_last)
                .map_err(|length| EditError::NoPlace { way: way(), length })?,
            (other, _) => return Err(EditError::NoWay { way: way(), found: type_name(other) }),
        };
    }
    Ok(place)
}

/// Returns a field of an object, which is made if it is missing.
fn field<'v>(fields: &'v mut Map<String, Value>, part: &Part, is_last: bool) -> &'v mut Value {
    fields.entry(&*part.name).or_insert_with(|| made(is_last))
}

/// Returns an item of a list, or a new one at its end; how long the list is if it is neither.
fn item(items: &mut Vec<Value>, place: usize, is_last: bool) -> Result<&mut Value, usize> {
    let length = items.len();
    if place == length {
        items.push(made(is_last));
    }
    items.get_mut(place).ok_or(length)
}

fn made(is_last: bool) -> Value {
    if is_last { Value::Null } else { Value::Object(Map::new()) }
}

/// Returns a document with a patch merged into it, as RFC 7396 says: null removes a field, a
/// list replaces one. The patch is an object.
///
/// # Errors
///
/// Returns [`EditError`] if the patch is not an object, names the id, or the result is not a
/// [`Body`].
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
    // All at once: to remove a single field is as much work, since their order is kept.
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

/// Why a document cannot be changed so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The id of a document is never changed.
    #[error("`_id` cannot be set: a document's id is not part of what it holds")]
    Id,
    /// Two paths of one call that both say what is at one place.
    #[error("`{}` and `{}` cannot both be set", text::quote(first), text::quote(second))]
    Conflict {
        /// The path that leads to the place or through it.
        first: String,
        /// The other one.
        second: String,
    },
    /// A path through something that has no such parts.
    #[error("`{}` leads nowhere: `{}` holds {found}", text::quote(&way.0), text::quote(&way.1))]
    NoWay {
        /// The path, and its beginning, which leads to what is in the way.
        way: (String, String),
        /// What is in the way.
        found: &'static str,
    },
    /// A place behind the end of a list.
    #[error(
        "`{}` leads nowhere: the list `{}` has {length} items, the next place is {length}",
        text::quote(&way.0),
        text::quote(&way.1)
    )]
    NoPlace {
        /// The path, and its beginning, which leads to the list.
        way: (String, String),
        /// How many items the list has.
        length: usize,
    },
    /// A text that is not JSON, or not strictly.
    #[error("{what} is not JSON: {}", text::single_line(why))]
    NotJson {
        /// What it was to be.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// Paths and values, or a patch, with too much text.
    #[error("the change has more than {} MiB of text", MAX_CHANGE >> 20)]
    TooLarge,
    /// A name that is no path.
    #[error(transparent)]
    Path(PathError),
    /// A patch that is no object.
    #[error("the patch is {0}, not an object")]
    NotAnObject(&'static str),
    /// The document would not be one any more.
    #[error("it cannot be kept: {0}")]
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
    fn what_is_no_field_or_no_patch_is_named() {
        let told = |path: &str, value: &str| {
            read_fields(&[(path.to_owned(), value.to_owned())]).unwrap_err().to_string()
        };
        let why = "the value for `a.b` is not JSON: EOF while parsing a list at line 1 column 1";
        assert_eq!(told("a.b", "["), why);
        assert_eq!(told("a..b", "1"), Path::parse("a..b").unwrap_err().to_string());
        let why = "the patch is not JSON: unexpected `x` at line 1 column 1";
        assert_eq!(read_patch("x").unwrap_err().to_string(), why);
        let long = format!("\"{}\"", "x".repeat(MAX_CHANGE));
        assert_eq!(told("a", &long), "the change has more than 4 MiB of text");
        assert_eq!(read_patch(&long).unwrap_err().to_string(), told("a", &long));
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
            ("z.0", json!("a name, not a place")),
        ];
        let expected = json!({
            "a": {"b": null, "c": []}, "list": ["one", {"x": 2}, 3, {"y": 4}],
            "new": {"made": {"deep": 1}}, "z": {"0": "a name, not a place"}
        });
        assert_eq!(set_all(document, &fields), Ok(expected));
    }

    #[test]
    fn a_path_that_leads_nowhere_is_told_with_what_is_in_the_way() {
        let document = json!({"text": "x", "null": null, "list": [[], 2]});
        let told = |path: &str| set_all(document.clone(), &[(path, json!(1))]).unwrap_err();
        assert_eq!(told("text.a"), "`text.a` leads nowhere: `text` holds a text");
        assert_eq!(told("null.a.b"), "`null.a.b` leads nowhere: `null` holds null");
        assert_eq!(told("list.a"), "`list.a` leads nowhere: `list` holds a list");
        assert_eq!(told("list.1.a"), "`list.1.a` leads nowhere: `list.1` holds a number");
        assert_eq!(
            told("list.3"),
            "`list.3` leads nowhere: the list `list` has 2 items, the next place is 2"
        );
        assert_eq!(
            told("list.0.1"),
            "`list.0.1` leads nowhere: the list `list.0` has 0 items, the next place is 0"
        );
        assert!(told("list.18446744073709551615").contains("has 2 items"));
    }

    #[test]
    fn paths_that_say_the_same_place_cannot_both_be_set() {
        let told = |paths: &[&str]| {
            let fields: Vec<_> = paths.iter().map(|path| (*path, json!(1))).collect();
            set_all(json!({}), &fields)
        };
        let conflict = Err("`a` and `a.b` cannot both be set".to_owned());
        assert_eq!(told(&["a.b", "x", "a-c", "a"]), conflict);
        assert_eq!(told(&["a.b.c", "a.b"]), Err("`a.b` and `a.b.c` cannot both be set".to_owned()));
        assert_eq!(told(&["a", "a"]), Err("`a` and `a` cannot both be set".to_owned()));
        assert!(told(&["a.b", "a.bc", "ab", "a.c"]).is_ok());
    }

    #[test]
    fn what_is_set_stays_a_document() {
        let told = |path: &str, value: Value| set_all(json!({}), &[(path, value)]).unwrap_err();
        let id = "`_id` cannot be set: a document's id is not part of what it holds";
        assert_eq!((told("_id", json!(1)), told("_id.x", json!(1))), (id.into(), id.into()));
        assert!(set_all(json!({}), &[("a._id", json!(1))]).is_ok(), "only the top has an id");
        let deep = vec!["a"; 64].join(".");
        assert!(set_all(json!({}), &[(&deep, json!(1))]).is_ok());
        assert_eq!(told(&deep, json!({})), "it cannot be kept: it has more than 64 levels");
        let large = json!("x".repeat(1 << 20));
        assert_eq!(told("a", large), "it cannot be kept: it is larger than 1 MiB");
    }

    #[test]
    fn merging_is_that_of_rfc_7396() {
        // The examples of its appendix that are about objects.
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
            assert_eq!(merged.text(), result.to_string(), "the order of fields is kept");
        }
    }

    #[test]
    fn what_is_merged_stays_a_document() {
        let told = |patch: Value| merge(&Body::default(), &patch).unwrap_err().to_string();
        // The examples of the appendix whose patch is no object.
        assert_eq!(told(json!(["c"])), "the patch is a list, not an object");
        assert_eq!(told(json!(null)), "the patch is null, not an object");
        assert_eq!(told(json!("bar")), "the patch is a text, not an object");
        assert!(told(json!({"_id": null})).starts_with("`_id` cannot be set"));
        let deep = |levels| (1..levels).fold(json!({"a": 1}), |inner, _| json!({"a": inner}));
        assert!(merge(&Body::default(), &deep(64)).is_ok());
        assert_eq!(told(deep(65)), "it cannot be kept: it has more than 64 levels");
        assert!(told(json!({"a": "x".repeat(1 << 20)})).ends_with("larger than 1 MiB"));
        assert!(merge(&Body::default(), &json!({"a": {"_id": 1}})).is_ok());
    }

    #[test]
    fn to_remove_many_fields_takes_no_longer_than_to_look_at_them() {
        let many: Map<_, _> = (0..80_000).map(|n| (n.to_string(), json!(0))).collect();
        let none: Map<_, _> = many.keys().map(|name| (name.clone(), Value::Null)).collect();
        let began = std::time::Instant::now();
        let merged = merge(&body(Value::Object(many)), &Value::Object(none)).unwrap();
        assert!(merged.is_empty());
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

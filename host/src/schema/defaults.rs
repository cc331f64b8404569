//! Filling in the defaults that a schema declares: validators only check.
//!
//! A default fills a property that is missing, and is then filled in itself. Found through
//! `properties`, `items`, `allOf` and references into the schema; what stands under `anyOf`,
//! `oneOf` or `if` is left alone, since it may not apply.

use serde_json::{Map, Value};

/// How many steps deep a value and its schema are gone into. What a caller sends is at most 127
/// deep, with a few references on each step: more is a circle.
const MAX_DEPTH: usize = 1_000;
/// How many bytes of defaults are filled into one value.
const MAX_FILLED: usize = 8 << 20;

/// Filling would not end, or not soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its defaults hold each other without end")]
pub(super) struct Endless;

/// Returns the value with every default of its schema filled in.
///
/// # Errors
///
/// Returns [`Endless`] if defaults hold each other in a circle, or come to more than 8 MiB.
pub(super) fn fill(schema: &Value, mut value: Value) -> Result<Value, Endless> {
    Filler { root: schema, depth_left: MAX_DEPTH, bytes_left: MAX_FILLED }
        .fill(schema, &mut value)?;
    Ok(value)
}

/// Calls `each` with every default that [`fill`] could ever use, and with the JSON pointer of
/// the schema that declares it.
pub(super) fn each<'a>(schema: &'a Value, each: &mut impl FnMut(&str, &'a Value)) {
    visit(schema, "", each);
}

fn visit<'a>(schema: &'a Value, pointer: &str, each: &mut impl FnMut(&str, &'a Value)) {
    if let Some(default) = schema.get("default") {
        each(pointer, default);
    }
    for key in ["properties", "$defs", "definitions"] {
        let members = schema.get(key).and_then(Value::as_object);
        for (name, inner) in members.into_iter().flatten() {
            let name = name.replace('~', "~0").replace('/', "~1");
            visit(inner, &format!("{pointer}/{key}/{name}"), each);
        }
    }
    if let Some(items) = schema.get("items") {
        visit(items, &format!("{pointer}/items"), each);
    }
    let parts = schema.get("allOf").and_then(Value::as_array);
    for (place, inner) in parts.into_iter().flatten().enumerate() {
        visit(inner, &format!("{pointer}/allOf/{place}"), each);
    }
}

struct Filler<'a> {
    root: &'a Value,
    depth_left: usize,
    bytes_left: usize,
}

impl<'a> Filler<'a> {
    fn fill(&mut self, schema: &'a Value, value: &mut Value) -> Result<(), Endless> {
        self.depth_left = self.depth_left.checked_sub(1).ok_or(Endless)?;
        if let Some(target) = self.target(schema) {
            self.fill(target, value)?;
        }
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.fill(part, value)?;
        }
        match value {
            Value::Object(object) => self.fill_object(schema, object)?,
            Value::Array(items) => self.fill_items(schema, items)?,
            _ => {}
        }
        self.depth_left += 1;
        Ok(())
    }

    fn fill_object(
        &mut self,
        schema: &'a Value,
        object: &mut Map<String, Value>,
    ) -> Result<(), Endless> {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            if let (false, Some(default)) = (object.contains_key(name), property.get("default")) {
                let bytes = name.len() + default.to_string().len();
                self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(Endless)?;
                object.insert(name.clone(), default.clone());
            }
            if let Some(value) = object.get_mut(name) {
                self.fill(property, value)?;
            }
        }
        Ok(())
    }

    fn fill_items(&mut self, schema: &'a Value, items: &mut [Value]) -> Result<(), Endless> {
        match schema.get("items") {
            Some(each) => items.iter_mut().try_for_each(|item| self.fill(each, item)),
            None => Ok(()),
        }
    }

    fn target(&self, schema: &Value) -> Option<&'a Value> {
        self.root.pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn i1_defaults_are_found_through_properties_items_all_of_and_references() {
        let schema = json!({
            "properties": {
                "a": {"default": 1},
                "list": {"items": {"properties": {"b": {"default": "x"}}}},
                "place": {"$ref": "#/$defs/place"},
                "made": {"$ref": "#/$defs/place", "default": {}},
            },
            "allOf": [{"properties": {"c": {"default": null}}}],
            "anyOf": [{"properties": {"d": {"default": 4}}}, true],
            "$defs": {"place": {"properties": {"city": {"default": "Rome"}}}},
        });
        let value = json!({"list": [{}, {"b": "y"}, 3], "place": {}});
        assert_eq!(
            fill(&schema, value).unwrap(),
            json!({
                "list": [{"b": "x"}, {"b": "y"}, 3],
                "place": {"city": "Rome"},
                "c": null,
                "a": 1,
                "made": {"city": "Rome"},
            })
        );
    }

    #[test]
    fn what_is_there_is_never_replaced() {
        let schema = json!({"properties": {"a": {"default": 1}}});
        for given in [json!({"a": null}), json!([]), json!("text")] {
            assert_eq!(fill(&schema, given.clone()), Ok(given));
        }
    }

    #[test]
    fn circles_end() {
        let growing = json!({"properties": {"next": {"$ref": "#", "default": {}}}});
        assert_eq!(fill(&growing, json!({})), Err(Endless));
        let standing = json!({"$ref": "#"});
        assert_eq!(fill(&standing, json!({})), Err(Endless));
        let doubling = json!({"properties": {"a": {"$ref": "#", "default": {}}, "b": {"$ref": "#", "default": {}}}});
        assert_eq!(fill(&doubling, json!({})), Err(Endless));
        let recursive = json!({"properties": {"next": {"$ref": "#"}, "a": {"default": 1}}});
        assert_eq!(fill(&recursive, json!({"next": {}})), Ok(json!({"next": {"a": 1}, "a": 1})));
    }

    #[test]
    fn every_default_is_visited_with_its_place() {
        let schema = json!({
            "properties": {"a/b": {"default": 1}},
            "items": {"default": 2},
            "$defs": {"x": {"allOf": [{"default": 3}]}},
        });
        let mut seen = Vec::new();
        each(&schema, &mut |pointer, default| seen.push((pointer.to_owned(), default.clone())));
        assert_eq!(
            seen,
            [
                ("/properties/a~1b".to_owned(), json!(1)),
                ("/$defs/x/allOf/0".to_owned(), json!(3)),
                ("/items".to_owned(), json!(2)),
            ]
        );
    }
}

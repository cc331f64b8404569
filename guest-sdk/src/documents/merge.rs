//! Merges a changed model into its stored document.

use serde_json::{Map, Value};

type Fields = Map<String, Value>;

/// Returns `stored` with the changes of its model. The fields that the model does not have are kept.
///
/// `read` is the model as it was read from `stored`, and `now` is the model with the changes. `reader`
/// returns the model of another document, or `None` if the document does not match the model.
///
/// A field is written if its value has changed, and removed if `read` has the field and `now` does
/// not. Nested objects are merged, and all other values are replaced.
pub(super) fn merge(
    stored: &Fields,
    read: &Fields,
    now: &Fields,
    reader: &dyn Fn(Fields) -> Option<Fields>,
) -> Fields {
    let mut merged = stored.clone();
    let is_changed = |name: &str| now.get(name) != read.get(name);
    for (name, value) in now.iter().filter(|(name, _)| is_changed(name)) {
        let value = match (stored.get(name), read.get(name), value) {
            (Some(Value::Object(stored_field)), Some(Value::Object(read)), Value::Object(now)) => {
                let reader = |field: Fields| {
                    let mut document = stored.clone();
                    document.insert(name.clone(), field.into());
                    match reader(document)?.get_mut(name)?.take() {
                        Value::Object(field) => Some(field),
                        _ => None,
                    }
                };
                merge(stored_field, read, now, &reader).into()
            }
            _ => value.clone(),
        };
        merged.insert(name.clone(), value);
    }
    merged.retain(|name, _| now.contains_key(name) || !read.contains_key(name));
    // A changed field that `stored` does not have may be stored under another name.
    let names = now.keys().chain(read.keys());
    let names = names.filter(|name| is_changed(name) && !stored.contains_key(*name)).collect();
    OtherNames { stored, read, names, reader }.remove_from(&mut merged, now);
    merged
}

/// The search for fields that the model reads under a name and writes under another one, as with
/// `#[serde(alias = "..")]`.
///
/// With both names, the document would not match the model any more.
struct OtherNames<'a> {
    stored: &'a Fields,
    read: &'a Fields,
    /// The names under which the model writes.
    names: Vec<&'a String>,
    reader: &'a dyn Fn(Fields) -> Option<Fields>,
}

impl OtherNames<'_> {
    fn remove_from(&self, merged: &mut Fields, now: &Fields) {
        let is_kept = |name: &String| !self.read.contains_key(name) && !now.contains_key(name);
        let kept: Vec<_> = self.stored.keys().filter(|name| is_kept(name)).collect();
        if self.names.is_empty() || !self.model_needs(&kept) {
            return;
        }
        merged.retain(|name, _| !kept.contains(&name) || !self.model_needs(&[name]));
    }

    /// Returns whether the fields of the model would be read differently without `fields`.
    fn model_needs(&self, fields: &[&String]) -> bool {
        if fields.is_empty() {
            return false;
        }
        let mut rest = self.stored.clone();
        rest.retain(|name, _| !fields.contains(&name));
        let read = (self.reader)(rest);
        read.is_none_or(|read| self.names.iter().any(|&name| read.get(name) != self.read.get(name)))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(Clone, Deserialize, Serialize)]
    struct Job {
        title: String,
        #[serde(alias = "firm", default, skip_serializing_if = "Option::is_none")]
        company: Option<String>,
        #[serde(default)]
        notes: Option<String>,
        #[serde(default)]
        tags: Vec<Tag>,
        #[serde(default)]
        place: Place,
    }

    #[derive(Clone, Deserialize, Serialize)]
    struct Tag {
        name: String,
    }

    #[derive(Clone, Default, Deserialize, Serialize)]
    struct Place {
        #[serde(alias = "town", default)]
        city: String,
        #[serde(default)]
        floor: u8,
    }

    fn fields(model: &Job) -> Fields {
        serde_json::to_value(model).unwrap().as_object().unwrap().clone()
    }

    /// Returns `stored` after `change`.
    fn merged(stored: &Value, change: impl FnOnce(&mut Job)) -> Value {
        let stored = stored.as_object().unwrap().clone();
        let reader = |document: Fields| serde_json::from_value::<Job>(document.into()).ok();
        let read = reader(stored.clone()).unwrap();
        let mut now = read.clone();
        change(&mut now);
        let reader = |document| reader(document).as_ref().map(fields);
        let merged = merge(&stored, &fields(&read), &fields(&now), &reader);
        let again: Job = serde_json::from_value(merged.clone().into()).unwrap();
        assert_eq!(fields(&again), fields(&now), "the document reads as the changed model");
        merged.into()
    }

    #[test]
    fn unknown_fields_are_kept_at_every_level() {
        let stored = json!({
            "title": "Baker", "colour": "red",
            "place": {"city": "Rome", "floor": 1, "door": {"left": true}},
        });
        let now = merged(&stored, |job| {
            job.title = "Cook".into();
            job.place.floor = 2;
        });
        assert_eq!(
            now.to_string(),
            r#"{"title":"Cook","colour":"red","place":{"city":"Rome","floor":2,"door":{"left":true}}}"#
        );
    }

    #[test]
    fn unchanged_fields_are_kept_as_stored() {
        let stored = json!({"title": "Baker", "company": null, "place": {"floor": 3}, "tags": []});
        assert_eq!(merged(&stored, |_| ()), stored, "no default is written");
        let now = merged(&stored, |job| job.notes = Some("new".into()));
        assert_eq!(now["notes"], "new");
        assert_eq!((&now["company"], &now["place"]), (&json!(null), &json!({"floor": 3})));
    }

    #[test]
    fn none_is_written_as_null_or_removed_as_the_model_serialises() {
        let stored = json!({"title": "Baker", "company": "ACME", "notes": "old", "colour": "red"});
        let now = merged(&stored, |job| {
            job.notes = None;
            job.company = None;
        });
        assert_eq!(now, json!({"title": "Baker", "notes": null, "colour": "red"}));
    }

    #[test]
    fn a_changed_list_is_replaced_and_an_unchanged_one_is_kept() {
        let stored = json!({"title": "Baker", "tags": [{"name": "a", "colour": "red"}]});
        assert_eq!(merged(&stored, |job| job.title = "Cook".into())["tags"], stored["tags"]);
        let now = merged(&stored, |job| job.tags.push(Tag { name: "b".into() }));
        assert_eq!(now["tags"], json!([{"name": "a"}, {"name": "b"}]));
    }

    #[test]
    fn a_field_with_an_alias_is_not_stored_twice() {
        let stored = json!({"title": "Baker", "firm": "ACME", "colour": "red"});
        assert_eq!(merged(&stored, |job| job.title = "Cook".into())["firm"], "ACME");
        let now = merged(&stored, |job| job.company = Some("Mills".into()));
        assert_eq!(now, json!({"title": "Baker", "colour": "red", "company": "Mills"}));
        let now = merged(&stored, |job| job.company = None);
        assert_eq!(now, json!({"title": "Baker", "colour": "red"}));
        let nested = json!({"title": "Baker", "place": {"town": "Rome", "door": 1}});
        let now = merged(&nested, |job| job.place.city = "Bonn".into());
        assert_eq!(now["place"], json!({"door": 1, "city": "Bonn"}));
    }
}

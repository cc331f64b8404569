//! What documents are of, and where they are.

use serde_json::{Map, Value};

use crate::const_str::equal;

/// A type that documents are of, with a name and a collection; [`macro@crate::model`] makes
/// it one, unless it is generic.
///
/// # Example
///
/// ```
/// use ophost_sdk::{Model, model};
///
/// #[model]
/// struct Job {
///     title: String,
/// }
///
/// #[model(collection = "people")]
/// struct Person {
///     name: String,
/// }
///
/// assert_eq!((Job::NAME, Job::COLLECTION), ("Job", None)); // in `jobs`
/// assert_eq!((Person::NAME, Person::COLLECTION), ("Person", Some("people")));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model, so there is no collection of it",
    label = "not a model",
    note = "write `#[model]` above the type; a generic type cannot be the model of a collection"
)]
pub trait Model {
    /// What operations call it in `models_in` and `models_out`.
    const NAME: &'static str;

    /// Where its documents are. Without it: the name in lower case and in the plural, which
    /// is `es` after s, x, z, ch and sh, and else `s`.
    const COLLECTION: Option<&'static str> = None;
}

/// Returns the collection of the model called `name`.
pub(crate) fn collection_name(model: &str, explicit: Option<&str>) -> String {
    let plural = || {
        let name = model.to_lowercase();
        let takes_es = ["s", "x", "z", "ch", "sh"].iter().any(|end| name.ends_with(end));
        name + if takes_es { "es" } else { "s" }
    };
    explicit.map_or_else(plural, str::to_owned)
}

/// The annotation that says where documents are, as an object of model to collection.
pub const COLLECTIONS_KEY: &str = "ophost.collections";

/// Where the documents of a model are.
pub struct ModelCollection {
    model: &'static str,
    explicit: Option<&'static str>,
}

impl ModelCollection {
    /// Returns the place of a model.
    pub const fn of<T: Model>() -> Self {
        Self { model: T::NAME, explicit: T::COLLECTION }
    }

    /// Whether one of them would be looked for at the other's place.
    const fn contradicts(&self, other: &Self) -> bool {
        let is_same_collection = match (self.explicit, other.explicit) {
            (None, None) => true,
            (Some(one), Some(other)) => equal(one, other),
            (None, Some(_)) | (Some(_), None) => false,
        };
        equal(self.model, other.model) && !is_same_collection
    }
}

/// Where the documents are that an operation uses.
pub struct ModelCollections(&'static [ModelCollection]);

impl ModelCollections {
    /// Returns the places of an operation.
    ///
    /// # Panics
    ///
    /// Panics when two models of one name are at different places: at compile time.
    pub const fn new(collections: &'static [ModelCollection]) -> Self {
        let mut i = 0;
        while i < collections.len() {
            let mut j = 0;
            while j < i {
                assert!(
                    !collections[i].contradicts(&collections[j]),
                    "two models of this operation have the same name, but not the same collection"
                );
                j += 1;
            }
            i += 1;
        }
        Self(collections)
    }

    /// Returns whether a place is another than the model's name says.
    pub const fn has_overrides(&self) -> bool {
        let mut i = 0;
        while i < self.0.len() {
            if self.0[i].explicit.is_some() {
                return true;
            }
            i += 1;
        }
        false
    }

    /// Returns the places that are given.
    pub fn to_json(&self) -> Value {
        let explicit = self.0.iter().filter_map(|it| Some((it.model, it.explicit?)));
        Value::Object(
            explicit.map(|(model, name)| (model.to_owned(), name.into())).collect::<Map<_, _>>(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_name_is_the_lower_case_plural_of_the_model() {
        let plurals = [
            ("Job", "jobs"),
            ("QueryIndex", "queryindexes"),
            ("Address", "addresses"),
            ("Quiz", "quizes"),
            ("Branch", "branches"),
            ("Wish", "wishes"),
            ("Category", "categorys"),
        ];
        for (model, expected) in plurals {
            assert_eq!(collection_name(model, None), expected);
            let known = ophost_document::CollectionName::of_model(model).unwrap();
            assert_eq!(known.as_str(), expected, "the host says so, too");
        }
        assert_eq!(collection_name("Person", Some("people")), "people");
    }

    #[test]
    #[should_panic = "two models of this operation have the same name"]
    fn one_model_name_with_two_collections_panics() {
        static COLLECTIONS: [ModelCollection; 3] = [
            ModelCollection { model: "Job", explicit: None },
            ModelCollection { model: "Job", explicit: None },
            ModelCollection { model: "Job", explicit: Some("posts") },
        ];
        let _ = ModelCollections::new(&COLLECTIONS);
    }
}

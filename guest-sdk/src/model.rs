//! Models and the names of their collections.

use serde_json::{Map, Value};

use crate::const_str::equal;

/// The type of the documents of a collection.
///
/// [`macro@crate::model`] implements the trait for types that are not generic.
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
    message = "`{Self}` is not a model and has no collection",
    label = "not a model",
    note = "add `#[model]` to the type; a generic type cannot have a collection"
)]
pub trait Model {
    /// Name of the model in `models_in` and `models_out`.
    const NAME: &'static str;

    /// Name of the collection. The default is the model's name in lower case and in the plural.
    ///
    /// The plural ends in `es` after s, x, z, ch and sh, and in `s` otherwise.
    const COLLECTION: Option<&'static str> = None;
}

/// Returns the name of the model's collection: `explicit`, or else the plural of `model`.
pub(crate) fn collection_name(model: &str, explicit: Option<&str>) -> String {
    let plural = || {
        let name = model.to_lowercase();
        let takes_es = ["s", "x", "z", "ch", "sh"].iter().any(|end| name.ends_with(end));
        name + if takes_es { "es" } else { "s" }
    };
    explicit.map_or_else(plural, str::to_owned)
}

/// Key of the annotation that maps models to their explicit collection names.
pub const COLLECTIONS_KEY: &str = "ophost.collections";

/// A model and its explicit collection name, if any.
pub struct ModelCollection {
    model: &'static str,
    explicit: Option<&'static str>,
}

impl ModelCollection {
    /// Returns the collection of the model `T`.
    pub const fn of<T: Model>() -> Self {
        Self { model: T::NAME, explicit: T::COLLECTION }
    }

    /// Returns whether both have the same model name but different collections.
    const fn contradicts(&self, other: &Self) -> bool {
        let is_same_collection = match (self.explicit, other.explicit) {
            (None, None) => true,
            (Some(one), Some(other)) => equal(one, other),
            (None, Some(_)) | (Some(_), None) => false,
        };
        equal(self.model, other.model) && !is_same_collection
    }
}

/// The collections that an operation uses.
pub struct ModelCollections(&'static [ModelCollection]);

impl ModelCollections {
    /// Returns the collections of an operation.
    ///
    /// # Panics
    ///
    /// Panics if two models have the same name but different collections. In a constant, the panic
    /// is a compile error.
    pub const fn new(collections: &'static [ModelCollection]) -> Self {
        let mut i = 0;
        while i < collections.len() {
            let mut j = 0;
            while j < i {
                assert!(
                    !collections[i].contradicts(&collections[j]),
                    "two models of this operation have the same name but different collections"
                );
                j += 1;
            }
            i += 1;
        }
        Self(collections)
    }

    /// Returns whether any model has an explicit collection name.
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

    /// Returns the explicit collection names by model, as a JSON object.
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
            assert_eq!(known.as_str(), expected, "the host uses the same name");
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

//! What of a document is looked at: all its fields, or those alone that a question names.
//!
//! To read a few fields of a text, and to pass over the others, takes a fraction of the time
//! that it takes to read them all.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::body::Body;

/// Fields, or those of them that somebody wants.
pub trait Fields {
    /// Returns what a field holds; `None` if there is no such field.
    fn field(&self, name: &str) -> Option<&Value>;
}

impl Fields for Map<String, Value> {
    fn field(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }
}

impl Fields for Body {
    fn field(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }
}

/// The fields that a question looks at. They can be read of an object, and no others: the rest
/// is passed over, whatever it is. Where a field comes twice, the last one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection(Box<[Box<str>]>);

impl Projection {
    pub(crate) fn new(names: BTreeSet<&str>) -> Self {
        Self(names.into_iter().map(Box::from).collect())
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|wanted| **wanted == *name)
    }
}

/// The fields of a document that somebody wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectedFields<'w> {
    wanted: &'w Projection,
    /// What they hold, in the same order.
    values: Box<[Option<Value>]>,
}

impl Fields for ProjectedFields<'_> {
    fn field(&self, name: &str) -> Option<&Value> {
        self.values[self.wanted.place(name)?].as_ref()
    }
}

impl<'de, 'w> DeserializeSeed<'de> for &'w Projection {
    type Value = ProjectedFields<'w>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<ProjectedFields<'w>, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de, 'w> Visitor<'de> for &'w Projection {
    type Value = ProjectedFields<'w>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<ProjectedFields<'w>, A::Error> {
        let mut values = vec![None; self.0.len()].into_boxed_slice();
        while let Some(place) = fields.next_key_seed(Name(self))? {
            match place {
                Some(place) => values[place] = Some(fields.next_value()?),
                None => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(ProjectedFields { wanted: self, values })
    }
}

/// Reads the name of a field as its place among those wanted.
struct Name<'w>(&'w Projection);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Option<usize>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.place(name))
    }
}

//! Field projection: deserialises only the fields that a query needs.
//!
//! Deserialising a few fields and skipping the others takes a fraction of the time of
//! deserialising all fields.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::body::Body;

/// The fields of a document: all of them, or a projection.
pub trait Fields {
    /// Returns the value of a field; `None` if the field does not exist.
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

/// The names of the fields that a query needs.
///
/// As a [`DeserializeSeed`], a projection reads these fields of an object and skips the others
/// without checking their values. If a field appears more than once, the last value counts.
///
/// Clones share the names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection(Arc<[Box<str>]>);

impl Projection {
    pub(crate) fn new(names: BTreeSet<&str>) -> Self {
        Self(names.into_iter().map(Box::from).collect())
    }

    /// Returns the fields of a document that the projection selects.
    pub fn select(&self, fields: &dyn Fields) -> ProjectedFields {
        let values = self.0.iter().map(|name| fields.field(name).cloned()).collect();
        ProjectedFields { projection: self.clone(), values }
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|known| **known == *name)
    }
}

/// The fields of a document that a projection selects.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectedFields {
    projection: Projection,
    /// The values, in the order of the names of the projection.
    values: Box<[Option<Value>]>,
}

impl Fields for ProjectedFields {
    fn field(&self, name: &str) -> Option<&Value> {
        self.values[self.projection.index_of(name)?].as_ref()
    }
}

impl<'de> DeserializeSeed<'de> for &Projection {
    type Value = ProjectedFields;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<ProjectedFields, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &Projection {
    type Value = ProjectedFields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<ProjectedFields, A::Error> {
        let mut values = vec![None; self.0.len()].into_boxed_slice();
        while let Some(index) = fields.next_key_seed(NameIndex(self))? {
            match index {
                Some(index) => values[index] = Some(fields.next_value()?),
                None => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(ProjectedFields { projection: self.clone(), values })
    }
}

/// Reads the name of a field as its index in the projection.
struct NameIndex<'p>(&'p Projection);

impl<'de> DeserializeSeed<'de> for NameIndex<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Option<usize>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for NameIndex<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.index_of(name))
    }
}

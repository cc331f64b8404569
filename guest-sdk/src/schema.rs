//! The JSON Schemas of inputs and outputs.

use std::ops::RangeInclusive;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Number, Value};

/// Returns the schema of JSON that deserialises as `T`.
///
/// Integers get the bounds of their types, so that the host rejects numbers outside the bounds.
pub fn input_schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    schema::<T>(settings.with_transform(RecursiveTransform(bound_integer)))
}

/// Returns the schema of the JSON that `T` serialises to.
pub fn output_schema<T: JsonSchema>() -> Value {
    schema::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn schema<T: JsonSchema>(settings: SchemaSettings) -> Value {
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// Adds the bounds of the type to the schema of an integer, and keeps tighter bounds.
fn bound_integer(schema: &mut Schema) {
    let format = schema.get("format").and_then(Value::as_str);
    let Some(range) = format.and_then(integer_range).filter(|_| is_integer(schema)) else {
        return;
    };
    for (key, limit) in [("minimum", *range.start()), ("maximum", *range.end())] {
        if !schema.get(key).is_some_and(|bound| is_within(bound, &range)) {
            schema.insert(key.to_owned(), Number::from_i128(limit).into());
        }
    }
}

fn is_integer(schema: &Schema) -> bool {
    match schema.get("type") {
        Some(Value::Array(types)) => types.iter().any(|one| one == "integer"),
        one => one.is_some_and(|one| one == "integer"),
    }
}

fn is_within(bound: &Value, range: &RangeInclusive<i128>) -> bool {
    let Value::Number(bound) = bound else {
        return false;
    };
    match bound.as_i128() {
        Some(integer) => range.contains(&integer),
        None => bound
            .as_f64()
            .is_some_and(|it| (*range.start() as f64) <= it && it <= (*range.end() as f64)),
    }
}

/// Returns the range of the integer type with the schemars format `format`.
///
/// 128-bit types have 64-bit bounds, because the host passes no larger integers to plugins.
fn integer_range(format: &str) -> Option<RangeInclusive<i128>> {
    Some(match format {
        "int8" => i8::MIN.into()..=i8::MAX.into(),
        "int16" => i16::MIN.into()..=i16::MAX.into(),
        "int32" => i32::MIN.into()..=i32::MAX.into(),
        "int64" => i64::MIN.into()..=i64::MAX.into(),
        "int128" => i64::MIN.into()..=u64::MAX.into(),
        "int" => isize::MIN as i128..=isize::MAX as i128,
        "uint8" => 0..=u8::MAX.into(),
        "uint16" => 0..=u16::MAX.into(),
        "uint32" => 0..=u32::MAX.into(),
        "uint64" | "uint128" => 0..=u64::MAX.into(),
        "uint" => 0..=usize::MAX as i128,
        _ => return None,
    })
}

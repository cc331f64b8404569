//! Ranges of index keys.

use super::key::IndexKey;

/// A range of index keys: from `from` to before `end`, as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    from: Vec<u8>,
    end: Vec<u8>,
    is_point: bool,
}

impl KeyRange {
    pub(super) fn new(from: Vec<u8>, end: Vec<u8>) -> Self {
        Self { from, end, is_point: false }
    }

    /// Returns the range of one key.
    pub(super) fn point(key: &IndexKey) -> Self {
        let from = key.as_bytes().to_vec();
        Self { end: after(&from), from, is_point: true }
    }

    /// Returns the first bytes of the range.
    pub fn from(&self) -> &[u8] {
        &self.from
    }

    /// Returns the bytes that the range ends before.
    pub fn end(&self) -> &[u8] {
        &self.end
    }

    /// Returns whether the range contains one key only.
    pub fn is_point(&self) -> bool {
        self.is_point
    }

    /// Returns whether the range contains a key.
    pub fn contains(&self, key: &IndexKey) -> bool {
        (self.from.as_slice()..self.end.as_slice()).contains(&key.as_bytes())
    }

    fn is_empty(&self) -> bool {
        self.from >= self.end
    }

    fn intersect(&self, other: &Self) -> Self {
        let from = self.from.as_slice().max(&other.from).to_vec();
        let end = self.end.as_slice().min(&other.end).to_vec();
        let is = |point: &Self| point.is_point && point.from == from && point.end == end;
        let is_point = is(self) || is(other);
        Self { from, end, is_point }
    }
}

/// Disjoint key ranges in ascending order, and the conditions from which they were derived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    ranges: Vec<KeyRange>,
    conditions: Vec<String>,
}

impl Bounds {
    /// Returns bounds. The ranges must be disjoint and in ascending order; empty ones are dropped.
    pub(super) fn new(mut ranges: Vec<KeyRange>, condition: String) -> Self {
        ranges.retain(|range| !range.is_empty());
        Self { ranges, conditions: vec![condition] }
    }

    /// Returns the ranges. Without a range, no document matches.
    pub fn ranges(&self) -> &[KeyRange] {
        &self.ranges
    }

    /// Returns the conditions as text, such as `>= 5`. Contains values of the filter, truncated to
    /// about 120 bytes each.
    pub fn conditions(&self) -> &[String] {
        &self.conditions
    }

    /// Returns whether a range contains a key.
    pub fn contains(&self, key: &IndexKey) -> bool {
        self.ranges.iter().any(|range| range.contains(key))
    }

    /// Returns the keys that both bounds contain.
    pub(super) fn intersect(self, other: Self) -> Self {
        let mut ranges = Vec::new();
        let (mut left, mut right) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            ranges.push(a.intersect(b));
            let first = if a.end <= b.end { &mut left } else { &mut right };
            first.next();
        }
        ranges.retain(|range| !range.is_empty());
        let conditions = [self.conditions, other.conditions].concat();
        Self { ranges, conditions }
    }
}

/// Returns the smallest bytes greater than all bytes with a prefix; empty if every byte of the prefix
/// is 255.
pub fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn point(value: i32) -> KeyRange {
        KeyRange::point(&IndexKey::of(&json!(value)))
    }

    #[test]
    fn intersection_has_the_common_keys() {
        let points = |values: &[i32]| {
            Bounds::new(values.iter().copied().map(point).collect(), "in".to_owned())
        };
        let some = points(&[1, 2, 3, 5]).intersect(points(&[0, 2, 4, 5, 6]));
        assert_eq!(some.ranges(), [point(2), point(5)]);
        assert!(some.ranges().iter().all(KeyRange::is_point));
        let (from, end) = (IndexKey::of(&json!(2)), IndexKey::of(&json!(5)));
        let range = KeyRange::new(from.as_bytes().to_vec(), end.as_bytes().to_vec());
        let range = Bounds::new(vec![range], ">= 2 < 5".to_owned());
        let some = points(&[1, 2, 3, 5]).intersect(range.clone());
        assert_eq!(some.ranges(), [point(2), point(3)]);
        assert_eq!(some.conditions(), ["in", ">= 2 < 5"]);
        assert!(range.clone().intersect(points(&[7])).ranges().is_empty());
        assert!(!range.intersect(points(&[])).contains(&from));
    }

    #[test]
    fn end_of_a_prefix_is_after_all_its_keys() {
        assert_eq!(after(b"a\xff\xff"), b"b");
        assert_eq!(after(b"ab"), b"ac");
    }
}

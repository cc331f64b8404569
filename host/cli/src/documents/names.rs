//! Renames and drops fields, and checks that filters can use the names.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use ophost_document::{path, text};

use super::super::output::quoted;

/// The values of `--rename` and `--drop`.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) renames: Vec<Rename>,
    pub(super) drops: Vec<String>,
}

/// A name and its replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rename {
    old: String,
    new: String,
}

/// Reads the value of `--rename`.
///
/// # Errors
///
/// Returns an error if the text is not `OLD=NEW`, or a filter cannot use the new name.
pub(super) fn rename(text: &str) -> Result<Rename, String> {
    let (old, new) = text.rsplit_once('=').ok_or("expected OLD=NEW")?;
    if !path::is_field(new) {
        return Err(format!("a filter cannot use the field name `{}`", text::quote(new)));
    }
    Ok(Rename { old: old.to_owned(), new: new.to_owned() })
}

/// An error for names that cannot be used, with a hint.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadNames {
    pub(super) problem: String,
    pub(super) hint: Option<String>,
}

impl BadNames {
    fn without_hint(problem: String) -> Self {
        Self { problem, hint: None }
    }
}

impl Names {
    /// Returns whether a field is renamed or dropped.
    pub(super) fn affects(&self, name: &str) -> bool {
        self.renames.iter().any(|rename| rename.old == name)
            || self.drops.iter().any(|drop| drop == name)
    }

    /// Returns the names of columns, with `None` for dropped columns. If several columns have the
    /// same name, its renames apply to them in order.
    ///
    /// # Errors
    ///
    /// Returns [`BadNames`] if a column is missing, two columns have the same name, or a filter
    /// cannot use a name.
    pub(super) fn of_columns(&self, header: &[String]) -> Result<Vec<Option<String>>, BadNames> {
        let mut renamed: Vec<Option<&str>> = vec![None; header.len()];
        for Rename { old, new } in &self.renames {
            let mut columns = header.iter().zip(&renamed);
            let column = columns.position(|(name, renamed)| name == old && renamed.is_none());
            renamed[column.ok_or_else(|| no_column(old, header))?] = Some(new);
        }
        if let Some(name) = self.drops.iter().find(|name| !header.contains(name)) {
            return Err(no_column(name, header));
        }
        let names = header.iter().zip(renamed).map(|(name, renamed)| match renamed {
            Some(new) => Some(new.to_owned()),
            None => Some(name.clone()).filter(|name| !self.drops.contains(name)),
        });
        let names: Vec<_> = names.collect();
        check_columns(&names, header)?;
        Ok(names)
    }

    /// Renames and drops the fields of a document.
    ///
    /// # Errors
    ///
    /// Returns [`BadNames`] if two fields have the same name afterwards.
    pub(super) fn of_fields(
        &self,
        fields: Map<String, Value>,
    ) -> Result<Map<String, Value>, BadNames> {
        if self.renames.is_empty() && self.drops.is_empty() {
            return Ok(fields);
        }
        let mut named = Map::with_capacity(fields.len());
        for (name, value) in fields {
            let rename = self.renames.iter().find(|rename| rename.old == name);
            if rename.is_none() && self.drops.contains(&name) {
                continue;
            }
            let name = rename.map_or(name, |rename| rename.new.clone());
            if named.contains_key(&name) {
                let problem = format!("two fields have the name `{}`", text::quote(&name));
                return Err(BadNames::without_hint(problem));
            }
            named.insert(name, value);
        }
        Ok(named)
    }
}

/// Checks that a filter can use the name of each field of a document.
///
/// # Errors
///
/// Returns [`BadNames`] if a filter cannot use a name.
pub(super) fn check_fields(fields: &Map<String, Value>) -> Result<(), BadNames> {
    let bad: Vec<_> = fields.keys().filter(|name| !path::is_field(name)).collect();
    if bad.is_empty() {
        return Ok(());
    }
    let shown = bad.iter().map(|name| format!("`{}`", text::quote(name)));
    let problem =
        format!("a filter cannot use these field names: {}", shown.collect::<Vec<_>>().join(", "));
    let renames = rename_flags(bad.into_iter().map(|name| (name.as_str(), usable(name, "field"))));
    let hint = format!(
        "rename with {renames}, drop a field with `--drop`, or keep all with `--plain-json`"
    );
    Err(BadNames { problem, hint: Some(hint) })
}

fn check_columns(names: &[Option<String>], header: &[String]) -> Result<(), BadNames> {
    let columns = || names.iter().enumerate().filter_map(|(at, name)| Some((at, name.as_ref()?)));
    let bad: Vec<_> = columns().filter(|(_, name)| !path::is_field(name)).collect();
    if !bad.is_empty() {
        let shown = bad.iter().map(|(at, name)| match name.as_str() {
            "" => format!("column {} (empty)", at + 1),
            name => format!("column {} (`{}`)", at + 1, text::quote(name)),
        });
        let problem = format!(
            "a filter cannot use the names of these columns: {}",
            shown.collect::<Vec<_>>().join(", ")
        );
        let renames = rename_flags(bad.into_iter().map(|(at, name)| {
            let empty = if at == 0 { "index".to_owned() } else { format!("column{}", at + 1) };
            (name.as_str(), usable(name, &empty))
        }));
        let hint = format!("rename with {renames}, or drop a column with `--drop NAME`");
        return Err(BadNames { problem, hint: Some(hint) });
    }
    let mut seen = BTreeSet::new();
    let Some((_, twice)) = columns().find(|(_, name)| !seen.insert(*name)) else { return Ok(()) };
    let problem = format!("two columns have the name `{}`", text::quote(twice));
    // The flags take the names in the file.
    let same = columns().filter(|(_, name)| *name == twice).enumerate();
    let pairs = same.map(|(count, (at, _))| (header[at].as_str(), format!("{twice}{}", count + 1)));
    let hint = format!("rename them in the order of the columns with {}", rename_flags(pairs));
    Err(BadNames { problem, hint: Some(hint) })
}

fn no_column(name: &str, header: &[String]) -> BadNames {
    let names: Vec<_> = header.iter().map(|name| text::quote(name)).collect();
    let problem = format!("column `{}` does not exist", text::quote(name));
    let hint = format!("use one of the columns `{}`", text::single_line(&names.join("`, `")));
    BadNames { problem, hint: Some(hint) }
}

/// Returns a similar name that a filter can use, or `fallback` if nothing remains.
fn usable(name: &str, fallback: &str) -> String {
    let name = name.replace('.', "_");
    let name = name.trim_start_matches('$');
    if name.is_empty() { fallback.to_owned() } else { name.to_owned() }
}

/// Returns the flags that rename fields, at most 5.
fn rename_flags<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    const MAX_SHOWN: usize = 5;
    let flag = |(old, new): (&str, String)| format!("--rename {}", quoted(&format!("{old}={new}")));
    let flags: Vec<_> = pairs.into_iter().take(MAX_SHOWN).map(flag).collect();
    format!("`{}`", flags.join(" "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(renames: &[&str], drops: &[&str]) -> Names {
        let renames = renames.iter().map(|text| rename(text).unwrap()).collect();
        Names { renames, drops: drops.iter().map(ToString::to_string).collect() }
    }

    fn columns(names: &Names, header: &[&str]) -> Result<Vec<Option<String>>, BadNames> {
        names.of_columns(&header.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn columns_are_renamed_in_order_and_dropped() {
        let some = |names: &[&str]| Ok(names.iter().map(|name| Some((*name).to_owned())).collect());
        assert_eq!(columns(&names(&[], &[]), &["a", "b c"]), some(&["a", "b c"]));
        let renamed = names(&["=index", "a.b=c", "x=y=z"], &[]);
        assert_eq!(columns(&renamed, &["", "a.b", "x=y"]), some(&["index", "c", "z"]));
        let twice = names(&["a=a1", "a=a2"], &[]);
        assert_eq!(columns(&twice, &["a", "b", "a"]), some(&["a1", "b", "a2"]));
        assert_eq!(columns(&names(&["a=a1"], &[]), &["a", "a"]), some(&["a1", "a"]));
        let dropped = columns(&names(&[], &["", "$b"]), &["", "a", "$b"]);
        assert_eq!(dropped, Ok(vec![None, Some("a".to_owned()), None]));
        assert_eq!(
            columns(&names(&["a=b"], &["a"]), &["a", "a"]).unwrap(),
            [Some("b".to_owned()), None]
        );
    }

    #[test]
    fn unusable_names_are_reported_with_flags_that_rename_them() {
        let BadNames { problem, hint } =
            columns(&names(&[], &[]), &["", "a.b", "$a", "c"]).unwrap_err();
        let message = "a filter cannot use the names of these columns: column 1 (empty), column 2 (`a.b`), column 3 (`$a`)";
        assert_eq!(problem, message);
        let flags = "rename with `--rename '=index' --rename 'a.b=a_b' --rename '$a=a'`";
        assert!(hint.as_ref().unwrap().starts_with(flags), "{hint:?}");
        let BadNames { problem, hint } = columns(&names(&[], &[]), &["a", "b", "a"]).unwrap_err();
        assert_eq!(problem, "two columns have the name `a`");
        assert!(hint.unwrap().starts_with(
            "rename them in the order of the columns with `--rename 'a=a1' --rename 'a=a2'`"
        ));
        let BadNames { problem, hint } =
            columns(&names(&["a=b"], &[]), &["a", "b", "c"]).unwrap_err();
        assert_eq!(problem, "two columns have the name `b`");
        assert!(hint.unwrap().starts_with(
            "rename them in the order of the columns with `--rename 'a=b1' --rename 'b=b2'`"
        ));
        for wrong in [names(&["x=y"], &[]), names(&[], &["x"])] {
            let error = columns(&wrong, &["a"]).unwrap_err();
            assert_eq!(error.problem, "column `x` does not exist");
        }
        assert!(["a", "a=", "a=b.c", "a=$b"].into_iter().all(|text| rename(text).is_err()));
    }

    #[test]
    fn fields_are_renamed_and_dropped() {
        let fields = |value: Value| value.as_object().unwrap().clone();
        let these = names(&["a.b=ab", "x=y"], &["$c"]);
        let named = these.of_fields(fields(json!({"a.b": 1, "$c": 2, "d": 3}))).unwrap();
        assert_eq!(Value::Object(named).to_string(), r#"{"ab":1,"d":3}"#);
        let twice = these.of_fields(fields(json!({"x": 1, "y": 2}))).unwrap_err();
        assert_eq!(twice.problem, "two fields have the name `y`");
        assert!(check_fields(&fields(json!({"a": {"b.c": 1}}))).is_ok());
        let bad = check_fields(&fields(json!({"a": 1, "b.c": 1, "": 2}))).unwrap_err();
        assert_eq!(bad.problem, "a filter cannot use these field names: `b.c`, ``");
        assert!(
            bad.hint.unwrap().starts_with("rename with `--rename 'b.c=b_c' --rename '=field'`")
        );
    }
}

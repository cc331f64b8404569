//! The names of fields: which are given another name, which are left out, which cannot be used.

use std::collections::BTreeSet;

use ophost_document::{path, text};
use serde_json::{Map, Value};

use super::super::output::quoted;

/// What `--rename` and `--drop` say.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) renames: Vec<Rename>,
    pub(super) drops: Vec<String>,
}

/// A name and the one that takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rename {
    old: String,
    new: String,
}

/// Reads the value of `--rename`.
///
/// # Errors
///
/// Returns an error if it is not `OLD=NEW`, or no filter can name the new field.
pub(super) fn rename(text: &str) -> Result<Rename, String> {
    let (old, new) = text.rsplit_once('=').ok_or("expected OLD=NEW")?;
    if !path::is_field(new) {
        return Err(format!("no filter can name a field `{}`", text::quote(new)));
    }
    Ok(Rename { old: old.to_owned(), new: new.to_owned() })
}

/// Names that cannot be used, and what to do.
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
    /// Returns whether a field is given another name, or left out.
    pub(super) fn concern(&self, name: &str) -> bool {
        self.renames.iter().any(|rename| rename.old == name)
            || self.drops.iter().any(|drop| drop == name)
    }

    /// Returns the names of columns; `None` for those that are left out. Several renames of one
    /// name are for several columns of that name, in their order.
    ///
    /// # Errors
    ///
    /// Returns [`BadNames`] if there is no such column, two have the same name, or no filter can
    /// name one.
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

    /// Gives the fields of a document their names.
    ///
    /// # Errors
    ///
    /// Returns [`BadNames`] if two fields have the same name then.
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
                let problem = format!("two fields are called `{}`", text::quote(&name));
                return Err(BadNames::without_hint(problem));
            }
            named.insert(name, value);
        }
        Ok(named)
    }
}

/// Checks that a filter can name each field of a document.
///
/// # Errors
///
/// Returns [`BadNames`] if it cannot.
pub(super) fn check_fields(fields: &Map<String, Value>) -> Result<(), BadNames> {
    let bad: Vec<_> = fields.keys().filter(|name| !path::is_field(name)).collect();
    if bad.is_empty() {
        return Ok(());
    }
    let shown = bad.iter().map(|name| format!("`{}`", text::quote(name)));
    let problem = format!("no filter can name the field {}", shown.collect::<Vec<_>>().join(", "));
    let renames = renames(bad.into_iter().map(|name| (name.as_str(), usable(name, "field"))));
    let hint = format!(
        "{renames} gives another name, `--drop` leaves a field out, `--plain-json` keeps it"
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
        let problem = format!("no filter can name {}", shown.collect::<Vec<_>>().join(", "));
        let renames = renames(bad.into_iter().map(|(at, name)| {
            let empty = if at == 0 { "index".to_owned() } else { format!("column{}", at + 1) };
            (name.as_str(), usable(name, &empty))
        }));
        let hint = format!("{renames} gives another name, `--drop NAME` leaves a column out");
        return Err(BadNames { problem, hint: Some(hint) });
    }
    let mut seen = BTreeSet::new();
    let Some((_, twice)) = columns().find(|(_, name)| !seen.insert(*name)) else { return Ok(()) };
    let problem = format!("two columns are called `{}`", text::quote(twice));
    // The flags are for the names that stand in the file.
    let same = columns().filter(|(_, name)| *name == twice).enumerate();
    let pairs = same.map(|(count, (at, _))| (header[at].as_str(), format!("{twice}{}", count + 1)));
    let hint = format!("{} gives other names, in the order of the columns", renames(pairs));
    Err(BadNames { problem, hint: Some(hint) })
}

fn no_column(name: &str, header: &[String]) -> BadNames {
    let names: Vec<_> = header.iter().map(|name| text::quote(name)).collect();
    let problem = format!("there is no column `{}`", text::quote(name));
    let hint = format!("the columns are `{}`", text::single_line(&names.join("`, `")));
    BadNames { problem, hint: Some(hint) }
}

/// Returns a name that a filter can use.
fn usable(name: &str, empty: &str) -> String {
    let name = name.replace('.', "_");
    let name = name.trim_start_matches('$');
    if name.is_empty() { empty.to_owned() } else { name.to_owned() }
}

/// Returns the flags that give other names.
fn renames<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    const SHOWN: usize = 5;
    let flag = |(old, new): (&str, String)| format!("--rename {}", quoted(&format!("{old}={new}")));
    let flags: Vec<_> = pairs.into_iter().take(SHOWN).map(flag).collect();
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
    fn columns_are_renamed_in_their_order_and_left_out() {
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
    fn names_that_cannot_be_used_are_refused_with_flags_that_help() {
        let BadNames { problem, hint } =
            columns(&names(&[], &[]), &["", "a.b", "$a", "c"]).unwrap_err();
        let told = "no filter can name column 1 (empty), column 2 (`a.b`), column 3 (`$a`)";
        assert_eq!(problem, told);
        let flags = "`--rename =index --rename a.b=a_b --rename '$a=a'` gives another name";
        assert!(hint.as_ref().unwrap().starts_with(flags), "{hint:?}");
        let BadNames { problem, hint } = columns(&names(&[], &[]), &["a", "b", "a"]).unwrap_err();
        assert_eq!(problem, "two columns are called `a`");
        assert!(hint.unwrap().starts_with("`--rename a=a1 --rename a=a2` gives"));
        let BadNames { problem, hint } =
            columns(&names(&["a=b"], &[]), &["a", "b", "c"]).unwrap_err();
        assert_eq!(problem, "two columns are called `b`");
        assert!(hint.unwrap().starts_with("`--rename a=b1 --rename b=b2` gives"));
        for wrong in [names(&["x=y"], &[]), names(&[], &["x"])] {
            let told = columns(&wrong, &["a"]).unwrap_err();
            assert_eq!(told.problem, "there is no column `x`");
        }
        assert!(["a", "a=", "a=b.c", "a=$b"].into_iter().all(|text| rename(text).is_err()));
    }

    #[test]
    fn fields_are_renamed_and_left_out() {
        let fields = |value: Value| value.as_object().unwrap().clone();
        let these = names(&["a.b=ab", "x=y"], &["$c"]);
        let named = these.of_fields(fields(json!({"a.b": 1, "$c": 2, "d": 3}))).unwrap();
        assert_eq!(Value::Object(named).to_string(), r#"{"ab":1,"d":3}"#);
        let twice = these.of_fields(fields(json!({"x": 1, "y": 2}))).unwrap_err();
        assert_eq!(twice.problem, "two fields are called `y`");
        assert!(check_fields(&fields(json!({"a": {"b.c": 1}}))).is_ok());
        let bad = check_fields(&fields(json!({"a": 1, "b.c": 1, "": 2}))).unwrap_err();
        assert_eq!(bad.problem, "no filter can name the field `b.c`, ``");
        assert!(bad.hint.unwrap().starts_with("`--rename b.c=b_c --rename =field` gives"));
    }
}

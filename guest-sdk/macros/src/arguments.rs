//! Parses the arguments of `#[operation(...)]`.

use std::collections::HashSet;

use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    Error, Expr, ExprArray, ExprLit, ExprUnary, Ident, Lit, LitBool, LitStr, Result, Token, UnOp,
    bracketed, parenthesized,
};

use crate::names;

const KEYS: &str = "name, description, category, tags, permissions, models_in, models_out, \
                    stage, async_enabled, create_taskrun, annotations";

/// The arguments of `#[operation(...)]`. Omitted ones have the defaults of the contract.
pub(crate) struct Arguments {
    pub(crate) name: Option<LitStr>,
    pub(crate) description: Option<LitStr>,
    pub(crate) category: Option<LitStr>,
    pub(crate) tags: Vec<LitStr>,
    pub(crate) permissions: Vec<LitStr>,
    pub(crate) models_in: Vec<LitStr>,
    pub(crate) models_out: Vec<LitStr>,
    pub(crate) stage: Option<LitStr>,
    pub(crate) async_enabled: bool,
    pub(crate) create_taskrun: bool,
    pub(crate) annotations: Vec<Annotation>,
}

/// One `"key" = value` pair of `annotations(...)`.
pub(crate) struct Annotation {
    pub(crate) key: LitStr,
    pub(crate) value: Expr,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            name: None,
            description: None,
            category: None,
            tags: Vec::new(),
            permissions: Vec::new(),
            models_in: Vec::new(),
            models_out: Vec::new(),
            stage: None,
            async_enabled: false,
            create_taskrun: true,
            annotations: Vec::new(),
        }
    }
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Self::default();
        let mut seen = HashSet::new();
        while !input.is_empty() {
            let key = Ident::parse_any(input)?;
            if !seen.insert(key.to_string()) {
                return Err(Error::new(key.span(), format!("`{key}` is given twice")));
            }
            arguments.parse_setting(&key, input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

impl Arguments {
    /// Parses the value that follows `key`.
    fn parse_setting(&mut self, key: &Ident, input: ParseStream<'_>) -> Result<()> {
        match key.to_string().as_str() {
            "name" => self.name = Some(checked_string(input, names::check_operation_name)?),
            "description" => {
                self.description = Some(checked_string(input, names::check_description)?)
            }
            "category" => self.category = Some(checked_string(input, names::check_category)?),
            "tags" => self.tags = string_list(input)?,
            "permissions" => self.permissions = string_list(input)?,
            "models_in" => self.models_in = string_list(input)?,
            "models_out" => self.models_out = string_list(input)?,
            "stage" => self.stage = Some(string(input)?),
            "async_enabled" => self.async_enabled = boolean(input)?,
            "create_taskrun" => self.create_taskrun = boolean(input)?,
            "annotations" => self.annotations = annotations(input)?,
            _ => return Err(Error::new(key.span(), unknown_key_message(key))),
        }
        Ok(())
    }
}

fn unknown_key_message(key: &Ident) -> String {
    if key == "inputs" || key == "outputs" {
        return format!("`{key}` is taken from the signature of the function");
    }
    format!("unknown key `{key}`; valid keys are {KEYS}")
}

fn string(input: ParseStream<'_>) -> Result<LitStr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

fn checked_string(
    input: ParseStream<'_>,
    check: fn(&str) -> std::result::Result<(), String>,
) -> Result<LitStr> {
    let text = string(input)?;
    check(&text.value()).map_err(|message| Error::new(text.span(), message))?;
    Ok(text)
}

fn string_list(input: ParseStream<'_>) -> Result<Vec<LitStr>> {
    input.parse::<Token![=]>()?;
    let list;
    bracketed!(list in input);
    let texts = Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?;
    Ok(texts.into_iter().collect())
}

fn boolean(input: ParseStream<'_>) -> Result<bool> {
    input.parse::<Token![=]>()?;
    Ok(input.parse::<LitBool>()?.value)
}

fn annotations(input: ParseStream<'_>) -> Result<Vec<Annotation>> {
    let list;
    parenthesized!(list in input);
    let annotations = Punctuated::<Annotation, Token![,]>::parse_terminated(&list)?;
    let mut seen = HashSet::new();
    for Annotation { key, .. } in &annotations {
        if !seen.insert(key.value()) {
            let message = format!("the annotation `{}` is given twice", key.value());
            return Err(Error::new(key.span(), message));
        }
    }
    Ok(annotations.into_iter().collect())
}

impl Parse for Annotation {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let key: LitStr = input.parse()?;
        names::check_annotation_key(&key.value())
            .map_err(|message| Error::new(key.span(), message))?;
        if key.value() == "ophost.collections" {
            return Err(Error::new(
                key.span(),
                "`ophost.collections` is derived from models: use `#[model(collection = \"...\")]`",
            ));
        }
        input.parse::<Token![=]>()?;
        let value: Expr = input.parse()?;
        if !is_json(&value) {
            return Err(Error::new_spanned(
                value,
                "the value of an annotation must be a boolean, a number, a string, \
                 or an array of these",
            ));
        }
        Ok(Self { key, value })
    }
}

/// Returns whether `value` is a JSON literal or an array of JSON literals.
fn is_json(value: &Expr) -> bool {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => {
            matches!(lit, Lit::Bool(_) | Lit::Int(_) | Lit::Float(_) | Lit::Str(_))
        }
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => {
            matches!(&**expr, Expr::Lit(_)) && is_json(expr)
        }
        Expr::Array(ExprArray { elems, .. }) => elems.iter().all(is_json),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Arguments {
        syn::parse_str(text).unwrap()
    }

    fn error(text: &str) -> String {
        syn::parse_str::<Arguments>(text).err().unwrap().to_string()
    }

    fn values(texts: &[LitStr]) -> Vec<String> {
        texts.iter().map(LitStr::value).collect()
    }

    #[test]
    fn omitted_keys_have_the_defaults_of_the_contract() {
        let arguments = parse(r#"category = "text""#);
        assert_eq!(arguments.category.unwrap().value(), "text");
        assert!(!arguments.async_enabled);
        assert!(arguments.create_taskrun);
        assert!(arguments.name.is_none() && arguments.tags.is_empty());
    }

    #[test]
    fn every_key_is_parsed() {
        let arguments = parse(
            r#"name = "a.b", description = "d", category = "c", tags = ["t", "u"],
               permissions = ["p"], models_in = ["I"], models_out = ["O"], stage = "s",
               async_enabled = true, create_taskrun = false,
               annotations("x" = true, "y" = [-1, 2.5, "z"]),"#,
        );
        assert_eq!(arguments.name.unwrap().value(), "a.b");
        assert_eq!(arguments.description.unwrap().value(), "d");
        assert_eq!(values(&arguments.tags), ["t", "u"]);
        assert_eq!(values(&arguments.permissions), ["p"]);
        assert_eq!(values(&arguments.models_in), ["I"]);
        assert_eq!(values(&arguments.models_out), ["O"]);
        assert_eq!(arguments.stage.unwrap().value(), "s");
        assert!(arguments.async_enabled && !arguments.create_taskrun);
        assert_eq!(arguments.annotations.len(), 2);
    }

    #[test]
    fn invalid_arguments_are_reported() {
        let cases = [
            (r#"inputs = Person"#, "`inputs` is taken from the signature of the function"),
            (r#"outputs = Person"#, "`outputs` is taken from the signature of the function"),
            (
                r#"tag = ["a"]"#,
                "unknown key `tag`; valid keys are name, description, category, tags, permissions, \
                 models_in, models_out, stage, async_enabled, create_taskrun, annotations",
            ),
            (r#"tags = [], tags = []"#, "`tags` is given twice"),
            (r#"category = """#, "the category must not be empty"),
            (r#"tags = "a""#, "expected square brackets"),
            (r#"name = greet"#, "expected string literal"),
            (r#"async_enabled"#, "expected `=`"),
            (
                r#"name = "Greet""#,
                "`Greet` is not a valid operation name: expected parts of `[a-z][a-z0-9_]*` \
                 joined by dots; set one with `name = \"...\"`",
            ),
            (r#"annotations("a" = 1, "a" = 2)"#, "the annotation `a` is given twice"),
            (
                r#"annotations("ophost.collections" = 1)"#,
                "`ophost.collections` is derived from models: use `#[model(collection = \"...\")]`",
            ),
            (
                r#"annotations("a" = now())"#,
                "the value of an annotation must be a boolean, a number, a string, \
                 or an array of these",
            ),
        ];
        for (text, expected) in cases {
            assert!(error(text).ends_with(expected), "{text}: {}", error(text));
        }
    }
}

//! Extracts the description of an operation from its doc comment.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// Returns the text of the doc comment in `attributes`, or `None` if there is no text.
pub(crate) fn from_doc_comment(attributes: &[Attribute]) -> Option<String> {
    let lines: Vec<String> = attributes.iter().filter_map(doc_line).collect();
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Returns the text of one `#[doc = "..."]`, without the space that follows `///`.
fn doc_line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value else {
        return None;
    };
    let text = text.value();
    let line = text.strip_prefix(' ').unwrap_or(&text).trim_end();
    pair.path.is_ident("doc").then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use syn::{ItemFn, parse_quote};

    use super::*;

    #[test]
    fn doc_lines_are_joined_and_trimmed() {
        let function: ItemFn = parse_quote! {
            /// Greets a person.
            ///
            ///     indented
            #[inline]
            ///
            fn greet() {}
        };
        assert_eq!(
            from_doc_comment(&function.attrs).as_deref(),
            Some("Greets a person.\n\n    indented")
        );
    }

    #[test]
    fn an_empty_doc_comment_is_no_description() {
        let function: ItemFn = parse_quote! {
            ///
            #[doc(hidden)]
            #[must_use = "a greeting"]
            fn greet() {}
        };
        assert_eq!(from_doc_comment(&function.attrs), None);
    }
}

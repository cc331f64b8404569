//! Reads what an operation takes and returns from the signature of its function.

use quote::ToTokens;
use syn::{
    Error, FnArg, GenericArgument, PathArguments, PathSegment, Result, ReturnType, Signature, Type,
};

/// What an operation takes and returns.
pub(crate) struct Shape<'a> {
    /// The type of the only parameter.
    pub(crate) input: Option<&'a Type>,
    /// The type of the output, that of `Ok` where the function returns a `Result`.
    pub(crate) output: &'a Type,
    /// Whether the function returns a `Result`.
    pub(crate) fallible: bool,
}

impl<'a> Shape<'a> {
    /// Reads `signature`, or says why a function like this cannot be an operation.
    pub(crate) fn of(signature: &'a Signature) -> Result<Self> {
        refuse_modifiers(signature)?;
        refuse_generics(signature)?;
        let input = input(signature)?;
        let returned = returned(signature)?;
        match result_segment(returned) {
            None => Ok(Self { input, output: returned, fallible: false }),
            Some(segment) => Ok(Self { input, output: first_argument(segment)?, fallible: true }),
        }
    }
}

fn refuse_modifiers(signature: &Signature) -> Result<()> {
    if let Some(token) = &signature.asyncness {
        return fail(
            token,
            "an operation cannot be async: every run has an instance of its own, \
             so it may simply take its time",
        );
    }
    match &signature.unsafety {
        Some(token) => fail(token, "an operation cannot be unsafe"),
        None => Ok(()),
    }
}

fn refuse_generics(signature: &Signature) -> Result<()> {
    if signature.generics.params.is_empty() {
        return Ok(());
    }
    fail(&signature.generics, "an operation cannot be generic: its schemas need one type each")
}

fn input(signature: &Signature) -> Result<Option<&Type>> {
    let mut parameters = signature.inputs.iter();
    let Some(first) = parameters.next() else {
        return Ok(None);
    };
    let FnArg::Typed(parameter) = first else {
        return fail(first, "an operation is a free function, not a method");
    };
    if let Some(second) = parameters.next() {
        return fail(second, "an operation takes one parameter: make one model of them");
    }
    refuse_borrowed(&parameter.ty)?;
    refuse_unnamed(&parameter.ty)?;
    Ok(Some(&parameter.ty))
}

fn returned(signature: &Signature) -> Result<&Type> {
    let ReturnType::Type(_, returned) = &signature.output else {
        return fail(
            &signature.ident,
            "an operation returns its output: add `-> Output` or `-> Result<Output>`",
        );
    };
    refuse_unnamed(returned)?;
    Ok(returned)
}

fn refuse_borrowed(ty: &Type) -> Result<()> {
    match ty {
        Type::Reference(_) => fail(ty, "an operation owns its input: take it by value"),
        _ => Ok(()),
    }
}

fn refuse_unnamed(ty: &Type) -> Result<()> {
    match ty {
        Type::ImplTrait(_) => fail(ty, "an operation needs a type here, not an `impl Trait`"),
        _ => Ok(()),
    }
}

/// Returns the last segment of `ty` if it is `Result`, whatever comes before.
fn result_segment(ty: &Type) -> Option<&PathSegment> {
    let Type::Path(path) = ty else {
        return None;
    };
    let last = path.path.segments.last()?;
    (last.ident == "Result").then_some(last)
}

fn first_argument(segment: &PathSegment) -> Result<&Type> {
    if let PathArguments::AngleBracketed(arguments) = &segment.arguments {
        for argument in &arguments.args {
            if let GenericArgument::Type(ty) = argument {
                return Ok(ty);
            }
        }
    }
    fail(segment, "name the type of the output, as in `Result<Output>`")
}

fn fail<T>(tokens: impl ToTokens, message: &str) -> Result<T> {
    Err(Error::new_spanned(tokens, message))
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    /// Returns input, output and fallibility as text, or the error.
    fn read(signature: &Signature) -> std::result::Result<String, String> {
        let text = |ty: &Type| ty.to_token_stream().to_string();
        match Shape::of(signature) {
            Ok(shape) => {
                let input = shape.input.map_or("nothing".into(), text);
                let fallible = if shape.fallible { ", fallible" } else { "" };
                Ok(format!("{input} -> {}{fallible}", text(shape.output)))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn input_and_output_are_read() {
        assert_eq!(read(&parse_quote!(fn f(a: In) -> Out)).unwrap(), "In -> Out");
        assert_eq!(read(&parse_quote!(fn f() -> Out)).unwrap(), "nothing -> Out");
    }

    #[test]
    fn a_result_is_known_by_its_name() {
        for signature in [
            parse_quote!(fn f(a: In) -> Result<Out>),
            parse_quote!(fn f(a: In) -> anyhow::Result<Out>),
            parse_quote!(fn f(a: In) -> std::result::Result<Out, std::io::Error>),
        ] {
            assert_eq!(read(&signature).unwrap(), "In -> Out, fallible");
        }
    }

    #[test]
    fn what_cannot_be_an_operation_is_refused() {
        let cases: [(Signature, &str); 11] = [
            (
                parse_quote!(async fn f() -> Out),
                "an operation cannot be async: every run has an instance of its own, so it may simply take its time",
            ),
            (parse_quote!(unsafe fn f() -> Out), "an operation cannot be unsafe"),
            (
                parse_quote!(fn f<T>(a: T) -> Out),
                "an operation cannot be generic: its schemas need one type each",
            ),
            (
                parse_quote!(fn f(a: impl Into<String>) -> Out),
                "an operation needs a type here, not an `impl Trait`",
            ),
            (
                parse_quote!(fn f(a: In) -> impl Serialize),
                "an operation needs a type here, not an `impl Trait`",
            ),
            (parse_quote!(fn f(a: &In) -> Out), "an operation owns its input: take it by value"),
            (parse_quote!(fn f(&self) -> Out), "an operation is a free function, not a method"),
            (
                parse_quote!(fn f(self: Box<Self>) -> Out),
                "an operation is a free function, not a method",
            ),
            (
                parse_quote!(fn f(a: In, b: In) -> Out),
                "an operation takes one parameter: make one model of them",
            ),
            (
                parse_quote!(fn f(a: In)),
                "an operation returns its output: add `-> Output` or `-> Result<Output>`",
            ),
            (
                parse_quote!(fn f(a: In) -> Result),
                "name the type of the output, as in `Result<Output>`",
            ),
        ];
        for (signature, expected) in cases {
            assert_eq!(read(&signature).unwrap_err(), expected);
        }
    }
}

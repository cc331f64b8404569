//! Reads what an operation takes and returns from the signature of its function.

use quote::ToTokens;
use syn::{
    Error, FnArg, GenericArgument, PathArguments, PathSegment, Result, ReturnType, Signature, Type,
};

/// What an operation takes and returns.
pub(crate) struct OperationSignature<'a> {
    /// What the function takes, in this order: at most one input, and collections.
    pub(crate) parameters: Vec<Parameter<'a>>,
    /// The type of the output, that of `Ok` where the function returns a `Result`.
    pub(crate) output: &'a Type,
    /// Whether the function returns a `Result`.
    pub(crate) fallible: bool,
}

/// What an operation takes.
pub(crate) enum Parameter<'a> {
    /// The model that callers give.
    Input(&'a Type),
    /// A collection of documents, which the SDK gives.
    Collection(Collection<'a>),
}

/// A parameter that is a collection.
pub(crate) struct Collection<'a> {
    /// The type of the parameter.
    pub(crate) ty: &'a Type,
    /// What its documents are of.
    pub(crate) model: &'a Type,
    /// What is done with them.
    pub(crate) access: Access,
}

/// What an operation does with the documents of a collection.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Access {
    /// `ReadCollection`.
    Read,
    /// `Collection`.
    Write,
}

impl<'a> OperationSignature<'a> {
    /// Reads `signature`, or says why a function like this cannot be an operation.
    pub(crate) fn parse(signature: &'a Signature) -> Result<Self> {
        reject_modifiers(signature)?;
        reject_generics(signature)?;
        let parameters = parameters(signature)?;
        let returned = returned(signature)?;
        match result_segment(returned) {
            None => Ok(Self { parameters, output: returned, fallible: false }),
            Some(segment) => {
                Ok(Self { parameters, output: first_argument(segment)?, fallible: true })
            }
        }
    }

    /// Returns the type of the input, if there is one.
    pub(crate) fn input(&self) -> Option<&'a Type> {
        self.parameters.iter().find_map(|parameter| match parameter {
            Parameter::Input(ty) => Some(*ty),
            Parameter::Collection(_) => None,
        })
    }

    /// Returns the collections among the parameters.
    pub(crate) fn collections(&self) -> impl Iterator<Item = &Collection<'a>> {
        self.parameters.iter().filter_map(|parameter| match parameter {
            Parameter::Input(_) => None,
            Parameter::Collection(collection) => Some(collection),
        })
    }
}

fn reject_modifiers(signature: &Signature) -> Result<()> {
    if let Some(token) = &signature.asyncness {
        return error(
            token,
            "an operation cannot be async: every run has an instance of its own, \
             so it may simply take its time",
        );
    }
    match &signature.unsafety {
        Some(token) => error(token, "an operation cannot be unsafe"),
        None => Ok(()),
    }
}

fn reject_generics(signature: &Signature) -> Result<()> {
    if signature.generics.params.is_empty() {
        return Ok(());
    }
    error(&signature.generics, "an operation cannot be generic: its schemas need one type each")
}

fn parameters(signature: &Signature) -> Result<Vec<Parameter<'_>>> {
    let mut has_input = false;
    let mut parameters = Vec::new();
    for argument in &signature.inputs {
        let parameter = parameter(argument)?;
        let is_input = matches!(parameter, Parameter::Input(_));
        if has_input && is_input {
            return error(
                argument,
                "an operation takes one input, and collections: make one model of all that \
                 callers give; a collection is written `Collection<Model>` or \
                 `ReadCollection<Model>`",
            );
        }
        has_input |= is_input;
        parameters.push(parameter);
    }
    Ok(parameters)
}

fn parameter(argument: &FnArg) -> Result<Parameter<'_>> {
    let FnArg::Typed(parameter) = argument else {
        return error(argument, "an operation is a free function, not a method");
    };
    let ty = &*parameter.ty;
    reject_reference(ty)?;
    reject_impl_trait(ty)?;
    Ok(match collection(ty) {
        Some(collection) => Parameter::Collection(collection),
        None => Parameter::Input(ty),
    })
}

/// Returns what collection `ty` is, which is known by its name and an argument.
fn collection(ty: &Type) -> Option<Collection<'_>> {
    let segment = last_segment(ty)?;
    let access = match segment.ident.to_string().as_str() {
        "Collection" => Access::Write,
        "ReadCollection" => Access::Read,
        _ => return None,
    };
    Some(Collection { ty, model: type_argument(segment)?, access })
}

fn returned(signature: &Signature) -> Result<&Type> {
    let ReturnType::Type(_, returned) = &signature.output else {
        return error(
            &signature.ident,
            "an operation returns its output: add `-> Output` or `-> Result<Output>`",
        );
    };
    reject_impl_trait(returned)?;
    Ok(returned)
}

fn reject_reference(ty: &Type) -> Result<()> {
    match ty {
        Type::Reference(_) => error(ty, "an operation owns what it takes: take it by value"),
        _ => Ok(()),
    }
}

fn reject_impl_trait(ty: &Type) -> Result<()> {
    match ty {
        Type::ImplTrait(_) => error(ty, "an operation needs a type here, not an `impl Trait`"),
        _ => Ok(()),
    }
}

/// Returns the last segment of `ty` if it is `Result`, whatever comes before.
fn result_segment(ty: &Type) -> Option<&PathSegment> {
    last_segment(ty).filter(|last| last.ident == "Result")
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

fn first_argument(segment: &PathSegment) -> Result<&Type> {
    match type_argument(segment) {
        Some(ty) => Ok(ty),
        None => error(segment, "name the type of the output, as in `Result<Output>`"),
    }
}

fn type_argument(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

fn error<T>(tokens: impl ToTokens, message: &str) -> Result<T> {
    Err(Error::new_spanned(tokens, message))
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    /// Returns what `OperationSignature` knows as text, or the error.
    fn read(signature: &Signature) -> std::result::Result<String, String> {
        let text = |ty: &Type| ty.to_token_stream().to_string();
        let parsed = OperationSignature::parse(signature).map_err(|error| error.to_string())?;
        let mut words: Vec<String> = parsed.input().map(text).into_iter().collect();
        for collection in parsed.collections() {
            let access = if collection.access == Access::Read { "reads" } else { "writes" };
            words.push(format!("{access} {}", text(collection.model)));
        }
        words.push(format!("-> {}", text(parsed.output)));
        words.extend(parsed.fallible.then(|| "or fails".to_owned()));
        Ok(words.join(" "))
    }

    #[test]
    fn input_and_output_types_are_found() {
        assert_eq!(read(&parse_quote!(fn f(a: In) -> Out)).unwrap(), "In -> Out");
        assert_eq!(read(&parse_quote!(fn f() -> Out)).unwrap(), "-> Out");
    }

    #[test]
    fn collections_are_recognised_by_their_type_names() {
        assert_eq!(
            read(&parse_quote!(fn f(a: In, b: Collection<Job>, c: sdk::ReadCollection<m::Dog>) -> Out))
                .unwrap(),
            "In writes Job reads m :: Dog -> Out"
        );
        assert_eq!(
            read(&parse_quote!(fn f(jobs: Collection<Job>, a: In) -> Out)).unwrap(),
            "In writes Job -> Out"
        );
        assert_eq!(
            read(&parse_quote!(fn f(jobs: ReadCollection<Job>) -> Out)).unwrap(),
            "reads Job -> Out"
        );
        assert_eq!(read(&parse_quote!(fn f(a: Collection) -> Out)).unwrap(), "Collection -> Out");
    }

    #[test]
    fn a_result_is_recognised_by_its_type_name() {
        for signature in [
            parse_quote!(fn f(a: In) -> Result<Out>),
            parse_quote!(fn f(a: In) -> anyhow::Result<Out>),
            parse_quote!(fn f(a: In) -> std::result::Result<Out, std::io::Error>),
        ] {
            assert_eq!(read(&signature).unwrap(), "In -> Out or fails");
        }
    }

    #[test]
    fn unsupported_signatures_are_rejected() {
        let cases: [(Signature, &str); 12] = [
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
            (
                parse_quote!(fn f(a: &In) -> Out),
                "an operation owns what it takes: take it by value",
            ),
            (parse_quote!(fn f(&self) -> Out), "an operation is a free function, not a method"),
            (
                parse_quote!(fn f(self: Box<Self>) -> Out),
                "an operation is a free function, not a method",
            ),
            (
                parse_quote!(fn f(a: In, b: In) -> Out),
                "an operation takes one input, and collections: make one model of all that callers \
                 give; a collection is written `Collection<Model>` or `ReadCollection<Model>`",
            ),
            (
                parse_quote!(fn f(a: &Collection<Job>) -> Out),
                "an operation owns what it takes: take it by value",
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

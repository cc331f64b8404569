//! Parses the signature of an operation's function.

use quote::ToTokens;
use syn::{
    Error, FnArg, GenericArgument, PathArguments, PathSegment, Result, ReturnType, Signature, Type,
};

/// The parameters and the output of an operation.
pub(crate) struct OperationSignature<'a> {
    /// Parameters in order: at most one input, and any number of collections.
    pub(crate) parameters: Vec<Parameter<'a>>,
    /// Type of the output. If the function returns a `Result`, this is the type of `Ok`.
    pub(crate) output: &'a Type,
    /// Whether the function returns a `Result`.
    pub(crate) fallible: bool,
}

/// A parameter of an operation.
pub(crate) enum Parameter<'a> {
    /// The input, which the caller provides.
    Input(&'a Type),
    /// A collection of documents, which the SDK provides.
    Collection(Collection<'a>),
}

/// A parameter that is a collection.
pub(crate) struct Collection<'a> {
    /// Type of the parameter.
    pub(crate) ty: &'a Type,
    /// Model of the documents.
    pub(crate) model: &'a Type,
    /// Access to the documents.
    pub(crate) access: Access,
}

/// The access of an operation to the documents of a collection.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Access {
    /// `ReadCollection`.
    Read,
    /// `Collection`.
    Write,
}

impl<'a> OperationSignature<'a> {
    /// Parses `signature`. Returns an error if the function cannot be an operation.
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

    /// Returns the type of the input, or `None` if there is no input.
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
            "an operation cannot be async: every run has its own instance, \
             so the function can block",
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
    error(&signature.generics, "an operation cannot be generic: its schemas need concrete types")
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
                "an operation takes at most one input besides collections: combine the inputs in \
                 one model; a collection is written `Collection<Model>` or \
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
        return error(argument, "an operation must be a free function, not a method");
    };
    let ty = &*parameter.ty;
    reject_reference(ty)?;
    reject_impl_trait(ty)?;
    Ok(match collection(ty) {
        Some(collection) => Parameter::Collection(collection),
        None => Parameter::Input(ty),
    })
}

/// Returns the collection of `ty`, which is recognised by its name and type argument.
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
            "an operation must return its output: add `-> Output` or `-> Result<Output>`",
        );
    };
    reject_impl_trait(returned)?;
    Ok(returned)
}

fn reject_reference(ty: &Type) -> Result<()> {
    match ty {
        Type::Reference(_) => {
            error(ty, "an operation takes its parameters by value, not by reference")
        }
        _ => Ok(()),
    }
}

fn reject_impl_trait(ty: &Type) -> Result<()> {
    match ty {
        Type::ImplTrait(_) => {
            error(ty, "an operation needs a concrete type here, not `impl Trait`")
        }
        _ => Ok(()),
    }
}

/// Returns the last segment of `ty` if this is `Result`, with any prefix.
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
        None => error(segment, "the type of the output is missing: write `Result<Output>`"),
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

    /// Returns the parsed signature as text, or the error.
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
                "an operation cannot be async: every run has its own instance, \
                 so the function can block",
            ),
            (parse_quote!(unsafe fn f() -> Out), "an operation cannot be unsafe"),
            (
                parse_quote!(fn f<T>(a: T) -> Out),
                "an operation cannot be generic: its schemas need concrete types",
            ),
            (
                parse_quote!(fn f(a: impl Into<String>) -> Out),
                "an operation needs a concrete type here, not `impl Trait`",
            ),
            (
                parse_quote!(fn f(a: In) -> impl Serialize),
                "an operation needs a concrete type here, not `impl Trait`",
            ),
            (
                parse_quote!(fn f(a: &In) -> Out),
                "an operation takes its parameters by value, not by reference",
            ),
            (
                parse_quote!(fn f(&self) -> Out),
                "an operation must be a free function, not a method",
            ),
            (
                parse_quote!(fn f(self: Box<Self>) -> Out),
                "an operation must be a free function, not a method",
            ),
            (
                parse_quote!(fn f(a: In, b: In) -> Out),
                "an operation takes at most one input besides collections: combine the inputs in \
                 one model; a collection is written `Collection<Model>` or `ReadCollection<Model>`",
            ),
            (
                parse_quote!(fn f(a: &Collection<Job>) -> Out),
                "an operation takes its parameters by value, not by reference",
            ),
            (
                parse_quote!(fn f(a: In)),
                "an operation must return its output: add `-> Output` or `-> Result<Output>`",
            ),
            (
                parse_quote!(fn f(a: In) -> Result),
                "the type of the output is missing: write `Result<Output>`",
            ),
        ];
        for (signature, expected) in cases {
            assert_eq!(read(&signature).unwrap_err(), expected);
        }
    }
}

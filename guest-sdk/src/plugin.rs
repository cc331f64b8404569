//! What a component says it is, and the macro that makes it so.

use crate::const_str::equal;
use crate::{Annotation, Failure, Operation, Result};

/// A component's answer to "what are you?"; made by [`plugin!`](crate::plugin!).
///
/// # Example
///
/// ```
/// use ophost_sdk::{Plugin, operation};
///
/// /// Always the same.
/// #[operation(category = "demo")]
/// fn answer() -> u32 {
///     42
/// }
///
/// const PLUGIN: Plugin = Plugin::new("demo", "1.0.0", &[answer::OPERATION], &[]);
///
/// assert_eq!(PLUGIN.invoke("answer", "{}").unwrap(), "42");
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Plugin {
    /// The plugin's own name, for people.
    pub name: &'static str,
    /// The plugin's version, such as `1.2.0`.
    pub version: &'static str,
    /// What callers can run.
    pub operations: &'static [Operation],
    /// Settings of the whole plugin.
    pub annotations: &'static [Annotation],
}

impl Plugin {
    /// Returns the plugin that consists of `operations`.
    ///
    /// # Panics
    ///
    /// Panics when two operations, or two annotations, bear one name. In a constant this
    /// is a compile error.
    ///
    /// # Example
    ///
    /// ```
    /// # use ophost_sdk::Plugin;
    /// assert_eq!(Plugin::new("empty", "1.0.0", &[], &[]).name, "empty");
    /// ```
    pub const fn new(
        name: &'static str,
        version: &'static str,
        operations: &'static [Operation],
        annotations: &'static [Annotation],
    ) -> Self {
        assert_unique_operations(operations);
        assert_unique_annotations(annotations);
        Self { name, version, operations, annotations }
    }

    /// Runs the operation called `operation` on a JSON text.
    ///
    /// # Errors
    ///
    /// Returns the operation's failure, see [`Operation::invoke`], or one with the code
    /// `unknown-operation`.
    ///
    /// # Example
    ///
    /// ```
    /// # use ophost_sdk::Plugin;
    /// let plugin = Plugin::new("empty", "1.0.0", &[], &[]);
    /// let failure = plugin.invoke("greet", "{}").unwrap_err();
    /// assert_eq!(failure.code.as_deref(), Some("unknown-operation"));
    /// ```
    pub fn invoke(&self, operation: &str, input: &str) -> Result<String> {
        let found = self.operations.iter().find(|known| known.name == operation);
        let Some(found) = found else {
            let message = format!("plugin `{}` has no operation `{operation}`", self.name);
            return Err(Failure::permanent(message).code("unknown-operation"));
        };
        found.invoke(input)
    }
}

// Constant functions have neither iterators nor comparisons of strings.

const fn assert_unique_operations(operations: &[Operation]) {
    let mut i = 0;
    while i < operations.len() {
        let mut j = 0;
        while j < i {
            assert!(
                !equal(operations[i].name, operations[j].name),
                "two operations of this plugin have the same name"
            );
            j += 1;
        }
        i += 1;
    }
}

const fn assert_unique_annotations(annotations: &[Annotation]) {
    let mut i = 0;
    while i < annotations.len() {
        let mut j = 0;
        while j < i {
            assert!(
                !equal(annotations[i].key, annotations[j].key),
                "two annotations of this plugin have the same key"
            );
            j += 1;
        }
        i += 1;
    }
}

/// Makes the crate a plugin that offers the operations listed.
///
/// Written once per crate; name and version are those of its `Cargo.toml`. Operations
/// are functions with `#[operation]`, by path. Annotations of the whole plugin may follow
/// after a semicolon. In a native build the list is checked and nothing is exported.
///
/// # Example
///
/// ```
/// use ophost_sdk::{operation, plugin};
///
/// /// Always the same.
/// #[operation(category = "demo")]
/// fn answer() -> u32 {
///     42
/// }
///
/// mod jobs {
///     /// How many jobs there are.
///     #[ophost_sdk::operation(name = "jobs.count", category = "jobs")]
///     pub(crate) fn count() -> u32 {
///         0
///     }
/// }
///
/// plugin!(answer, jobs::count; annotations("my.team" = "jobs"));
/// # fn main() {}
/// ```
///
/// Two operations of one name do not compile:
///
/// ```compile_fail,E0080
/// # use ophost_sdk::{operation, plugin};
/// # /// Always the same.
/// # #[operation(category = "demo")]
/// # fn answer() -> u32 {
/// #     42
/// # }
/// plugin!(answer, answer);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! plugin {
    ($($operation:path),+ $(,)?) => {
        $crate::plugin!($($operation),+; annotations());
    };
    ($($operation:path),+ $(,)?; annotations($($key:literal = $value:expr),* $(,)?)) => {
        const _: () = {
            const PLUGIN: $crate::Plugin = $crate::Plugin::new(
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
                &[$(<$operation>::OPERATION),+],
                &[$($crate::Annotation {
                    key: $key,
                    value: || $crate::serde_json::json!($value),
                }),*],
            );

            // The only use of the operations in a native build.
            const _: $crate::Plugin = PLUGIN;

            #[cfg(target_family = "wasm")]
            struct Component;

            #[cfg(target_family = "wasm")]
            impl $crate::macro_support::Exported for Component {
                const PLUGIN: $crate::Plugin = PLUGIN;
            }

            #[cfg(target_family = "wasm")]
            $crate::macro_support::bindings::export!(
                Component with_types_in $crate::macro_support::bindings
            );
        };
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn operation(name: &'static str) -> Operation {
        Operation {
            name,
            description: "d",
            category: "c",
            input_schema: || true.into(),
            output_schema: || true.into(),
            tags: &[],
            permissions: &[],
            models_in: &[],
            models_out: &[],
            stage: None,
            async_enabled: false,
            create_taskrun: true,
            annotations: &[],
            handler: |json| Ok(json.to_owned()),
        }
    }

    const ECHO: Operation = operation("echo");
    const ECHOES: Operation = operation("echoes");

    #[test]
    fn an_operation_is_found_by_its_exact_name() {
        let plugin = Plugin::new("demo", "1.0.0", &[ECHO, ECHOES], &[]);
        assert_eq!(plugin.invoke("echoes", "1").unwrap(), "1");
        let failure = plugin.invoke("ech", "1").unwrap_err();
        assert_eq!(
            failure,
            Failure::permanent("plugin `demo` has no operation `ech`").code("unknown-operation")
        );
    }

    #[test]
    #[should_panic = "two operations of this plugin have the same name"]
    fn duplicate_operation_names_panic() {
        let _ = Plugin::new("demo", "1.0.0", &[ECHO, ECHOES, ECHO], &[]);
    }

    #[test]
    #[should_panic = "two annotations of this plugin have the same key"]
    fn duplicate_annotation_keys_panic() {
        const TEAM: Annotation = Annotation { key: "team", value: || 1.into() };
        let _ = Plugin::new("demo", "1.0.0", &[ECHO], &[TEAM, TEAM]);
    }
}

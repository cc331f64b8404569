//! The description of a plugin, and the macro that exports it.

use crate::const_str::equal;
use crate::{Annotation, Failure, Operation, Result};

/// Description of a plugin, created by [`plugin!`](crate::plugin!).
///
/// # Example
///
/// ```
/// use ophost_sdk::{Plugin, operation};
///
/// /// Returns the answer.
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
    /// Name of the plugin.
    pub name: &'static str,
    /// Version of the plugin, such as `1.2.0`.
    pub version: &'static str,
    /// Operations that callers can run.
    pub operations: &'static [Operation],
    /// Further settings of the plugin.
    pub annotations: &'static [Annotation],
}

impl Plugin {
    /// Returns a plugin with `operations`.
    ///
    /// # Panics
    ///
    /// Panics if two operations have the same name, or two annotations the same key. In a constant,
    /// the panic is a compile error.
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

    /// Invokes the operation with the name `operation` with a JSON text.
    ///
    /// # Errors
    ///
    /// - Returns a permanent failure with the code `unknown-operation` if the plugin has no such
    ///   operation.
    /// - Returns the failure of the operation, see [`Operation::invoke`].
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

// Constant functions can use neither iterators nor `==` on strings.

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

/// Exports the listed operations as the plugin of the crate.
///
/// The macro is used once per crate. Name and version of the plugin come from `Cargo.toml`. An
/// operation is the path of a function with `#[operation]`. After a semicolon, the annotations of
/// the plugin can follow. A native build checks the list and exports nothing.
///
/// # Example
///
/// ```
/// use ophost_sdk::{operation, plugin};
///
/// /// Returns the answer.
/// #[operation(category = "demo")]
/// fn answer() -> u32 {
///     42
/// }
///
/// mod jobs {
///     /// Returns the number of jobs.
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
/// Two operations with the same name are a compile error:
///
/// ```compile_fail,E0080
/// # use ophost_sdk::{operation, plugin};
/// # /// Returns the answer.
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

            // In a native build, the operations are used only here.
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

//! The compilers of plugins.

/// A compiler of plugins. Its code runs with the same limits as that of the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompilerBackend {
    /// Cranelift: slow to compile, fast code. For plugins that run often, and for code of others.
    #[default]
    Cranelift,
    /// Winch: compiles large plugins about three times as fast as Cranelift, to slower code. For
    /// the development of plugins.
    ///
    /// A plugin with a WebAssembly feature that Winch does not support is compiled with Cranelift,
    /// and so is every plugin on a processor other than x86-64.
    Winch,
}

impl CompilerBackend {
    /// Every compiler.
    pub const ALL: [Self; 2] = [Self::Cranelift, Self::Winch];

    /// Returns the name in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cranelift => "cranelift",
            Self::Winch => "winch",
        }
    }

    /// Returns the compiler with this name in the settings.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.as_str() == name)
    }

    /// Returns the compiler for the development of plugins: [`Self::Winch`] on x86-64, and
    /// [`Self::Cranelift`] on other processors.
    pub fn for_development() -> Self {
        Self::Winch.or_supported()
    }

    /// Returns this compiler if it supports this processor, or else [`Self::Cranelift`].
    pub(crate) fn or_supported(self) -> Self {
        if cfg!(target_arch = "x86_64") { self } else { Self::Cranelift }
    }
}

//! The engines that execute JavaScript in a component.

/// An engine, as `package.json` names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Engine {
    /// QuickJS: small components that start fast.
    #[default]
    QuickJs,
    /// StarlingMonkey, which is based on SpiderMonkey of Firefox.
    StarlingMonkey,
}

impl Engine {
    /// Returns the package that makes components with the engine.
    pub(super) fn componentizer(self) -> Package {
        match self {
            Self::QuickJs => Package {
                name: "componentize-qjs",
                version: "0.4.5",
                supported: "0.4.",
                module: "index.js",
            },
            Self::StarlingMonkey => Package {
                name: "@bytecodealliance/componentize-js",
                version: "0.23.0",
                supported: "0.23.",
                module: "src/componentize.js",
            },
        }
    }

    /// Returns the packages that [`Self::componentizer`] needs and does not install.
    pub(super) fn requirements(self) -> &'static [Package] {
        match self {
            Self::QuickJs => &[],
            Self::StarlingMonkey => &[PREVIEW2_SHIM],
        }
    }
}

/// The files, clocks and streams of the compiler of [`Engine::StarlingMonkey`], which does not list the
/// package as its dependency. The compiler cannot read files with version 0.26.1.
const PREVIEW2_SHIM: Package = Package {
    name: "@bytecodealliance/preview2-shim",
    version: "0.26.0",
    supported: "0.26.0",
    module: "lib/nodejs/index.js",
};

/// A package of the toolchain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Package {
    pub(super) name: &'static str,
    /// The version to install.
    pub(super) version: &'static str,
    /// The version that is known to work, or the prefix of such versions, with a dot at its end.
    pub(super) supported: &'static str,
    /// The path of the module to import.
    pub(super) module: &'static str,
}

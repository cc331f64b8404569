//! The contract as Rust: generated from the files under `wit/`.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "plugin",
    // Asking the operating system for random bits is the one import that can fail.
    imports: {
        "ophost:plugin/context.random": trappable,
        "ophost:plugin/documents": async | trappable,
    },
    exports: { default: async },
});

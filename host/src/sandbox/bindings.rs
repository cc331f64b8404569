//! Rust bindings of the contract, generated from the files under `wit/`.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "plugin",
    // `random` reads the operating system's random source, which can fail.
    imports: {
        "ophost:plugin/context.random": trappable,
        "ophost:plugin/documents": async | trappable,
    },
    exports: { default: async },
});

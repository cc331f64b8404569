"""The component: the exports that the host calls, and the host that the SDK calls.

`ophost build` generates the entry module of a component:

    import MODULE
    from ophost_sdk.component import export
    Operations = export("NAME", "VERSION")

It also converts an exit of the module to an exception.

The command for it, with the WIT files in `wit`:

    componentize-py -d wit -w plugin componentize ENTRY -o NAME.wasm \\
        -p DIRECTORY_OF_ENTRY -p DIRECTORY_OF_MODULE -p DIRECTORY_OF_SDK

`wit_world` and `componentize_py_types` exist only while `componentize-py` builds a component and in
the component, so the modules of this package cannot be imported elsewhere.
"""

from ophost_sdk.component.export import export

__all__ = ["export"]

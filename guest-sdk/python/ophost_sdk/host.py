"""Selects the host: the real one in a component, and one in memory under plain Python."""

from __future__ import annotations

import sys

from ophost_sdk.backend import Backend

IS_COMPONENT = sys.platform == "wasi"

if IS_COMPONENT:
    from ophost_sdk.component.host import running_host

    def current() -> Backend:
        """Returns the host of the component."""
        return running_host()

else:
    from ophost_sdk.memory.host import current_memory

    def current() -> Backend:
        """Returns the host in memory."""
        return current_memory()

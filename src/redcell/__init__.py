"""redcell: the care loop for anemia in people with metastatic breast cancer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from redcell.api import Review, assess, read

__all__ = ["Review", "__version__", "assess", "read"]


def __getattr__(name: str) -> Any:
    """Load the public functions on first use, so that `import redcell` stays cheap."""
    if name in ("Review", "assess", "read"):
        from redcell import api

        return getattr(api, name)
    raise AttributeError(f"module 'redcell' has no attribute {name!r}")

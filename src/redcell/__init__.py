"""redcell: the care loop for anemia in people with metastatic breast cancer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redcell.version import __version__

if TYPE_CHECKING:
    from redcell.api import (
        Forecast,
        Review,
        assess,
        cohort,
        demand,
        forecast,
        hemoglobin,
        quality,
        read,
    )

__all__ = [
    "Forecast",
    "Review",
    "__version__",
    "assess",
    "cohort",
    "demand",
    "forecast",
    "hemoglobin",
    "quality",
    "read",
]


def __getattr__(name: str) -> Any:
    """Load the public functions on first use, so that `import redcell` stays cheap."""
    if name in __all__:
        from redcell import api

        return getattr(api, name)
    raise AttributeError(f"module 'redcell' has no attribute {name!r}")

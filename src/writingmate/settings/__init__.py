"""Settings: defaults, then the TOML file, then the environment, then the command line; read once.

Every field is described in its annotation, and ``docs/settings.md`` shows the same table. A key or
variable that does not exist is an error that names the nearest one that does: a mistyped setting
must never mean the default.
"""

from __future__ import annotations

from writingmate.settings.fields import (
    ModelSection,
    ProviderSection,
    RouteSection,
    Settings,
    TimeoutSection,
)
from writingmate.settings.lines import Lines, Place
from writingmate.settings.sources import read_settings
from writingmate.settings.values import checked_url, nearest, section

__all__ = [
    "Lines",
    "ModelSection",
    "Place",
    "ProviderSection",
    "RouteSection",
    "Settings",
    "TimeoutSection",
    "checked_url",
    "nearest",
    "read_settings",
    "section",
]

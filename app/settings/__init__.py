"""The settings: of the service from the environment, of each pool from there or from a file."""

from app.settings.environment import Settings, load_settings, variables
from app.settings.pools import AddressKind, PoolEntry, PoolSettings, ReadinessKind

__all__ = [
    "AddressKind",
    "PoolEntry",
    "PoolSettings",
    "ReadinessKind",
    "Settings",
    "load_settings",
    "variables",
]

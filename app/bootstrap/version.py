"""Which version of the service this is."""

from importlib.metadata import PackageNotFoundError, version

UNKNOWN = "unknown"
"""Where the package is not installed, and nobody can tell."""


def own_version() -> str:
    """Return the version of the installed package."""
    try:
        return version("ec2-orchestrator")
    except PackageNotFoundError:
        return UNKNOWN

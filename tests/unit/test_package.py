"""What is installed: every file that the service reads beside its code."""

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN_FROM_HERE = {"app/simulator/install_code_server.sh"}
"""What only the Makefile of this repository calls."""


def test_every_file_below_app_is_installed() -> None:
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    patterns = settings["options.package_data"]["*"].split(",")
    packages = [file.parent for file in (ROOT / "app").rglob("__init__.py")]
    installed = {
        file
        for package in packages
        for pattern in ("*.py", *patterns)
        for file in package.glob(pattern.strip())
    }
    files = (file for file in (ROOT / "app").rglob("*") if file.is_file())
    there = {file for file in files if file.parent.name != "__pycache__"}  # where others write meanwhile

    assert {str(file.relative_to(ROOT)) for file in there - installed} == RUN_FROM_HERE

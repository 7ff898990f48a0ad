"""What is installed: every file that the service reads beside its code."""

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEFT_OUT = {".pyc", ".py"}


def test_every_file_beside_the_code_is_installed_with_it() -> None:
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    patterns = settings["options.package_data"]["*"].replace("\n", "").split(",")
    packages = [file.parent for file in (ROOT / "app").rglob("__init__.py")]
    installed = {
        file for package in packages for pattern in patterns for file in package.glob(pattern.strip())
    }
    there = {file for file in (ROOT / "app").rglob("*") if file.is_file() and file.suffix not in LEFT_OUT}

    assert {str(file.relative_to(ROOT)) for file in there - installed} == set()

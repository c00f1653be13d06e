"""The two folders as one package, `fine_tuning_atlas`: nothing is installed that is called `tools`.

Tests and what only tests read stay in the repository.
"""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

NAMES = {"reference_impls": "fine_tuning_atlas", "tools": "fine_tuning_atlas.tools"}


class Shipped(build_py):
    """Modules without the tests that stand beside them."""

    def find_package_modules(self, package, package_dir):
        found = super().find_package_modules(package, package_dir)
        return [m for m in found if not m[1].startswith("test_") and m[1] != "forms"]


setup(
    packages=[
        package
        for folder, name in NAMES.items()
        for package in (name, *(f"{name}.{below}" for below in find_packages(folder)))
    ],
    package_dir={name: folder for folder, name in NAMES.items()},
    cmdclass={"build_py": Shipped},
)

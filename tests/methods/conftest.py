"""What is wrong in a promise is shown as in a test."""

import pytest

names = ("case", "changing", "reading")
pytest.register_assert_rewrite(*(f"tests.methods.{name}" for name in names))

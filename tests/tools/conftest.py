"""Settings of the tests that draw their inputs."""

from hypothesis import settings

# a test that fails on a busy machine says nothing of the code
settings.register_profile("atlas", deadline=None)
settings.load_profile("atlas")

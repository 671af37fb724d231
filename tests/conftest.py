"""What tests of several folders share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def memmapped_env(tmp_path_factory) -> Path:
    """A program over TensorFlow's own MemmappedEnv, compiled once; skips where it cannot be."""
    from tests.native.memmapped_env import build

    return build(tmp_path_factory.mktemp("memmapped_env"))

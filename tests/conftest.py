"""What tests of several folders share."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def control_flow() -> Iterator[None]:
    """Tests that ask TensorFlow for the control flow of version 1 leave it to the next as it was."""
    yield
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].compat.v1.enable_control_flow_v2()


@pytest.fixture(scope="session")
def memmapped_env(tmp_path_factory) -> Path:
    """A program over TensorFlow's own MemmappedEnv, compiled once; skips where it cannot be."""
    from tests.native.memmapped_env import build

    return build(tmp_path_factory.mktemp("memmapped_env"))

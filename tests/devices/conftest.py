"""What tests of devices share."""

import pytest

from mobile_export.devices.installation import VARIABLE, Installation, installed
from tests.toolchains import toolchain


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch) -> Installation:
    """That of CI; `installed` and all that asks it find it, too."""
    monkeypatch.setenv(VARIABLE, str(toolchain("arm64")))
    return installed()

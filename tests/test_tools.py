import sys

import pytest

from mobile_export.errors import MissingToolError
from mobile_export.tools import import_tool


def test_a_module_is_imported() -> None:
    assert import_tool("os.path").basename("a/b") == "b"


@pytest.mark.parametrize(
    ("module", "package"), [("litert_quantizer.utils", "litert-quantizer"), ("PIL.Image", "Pillow"), ("h5py", "h5py")]
)
def test_what_is_missing_is_called_as_it_is_installed(
    module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        MissingToolError, match=rf'^{package} cannot be imported .*pip install "mobile-export\[convert\]"'
    ):
        import_tool(module)

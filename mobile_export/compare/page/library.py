"""The plotting library, as one script that needs nothing else: Vega-Lite, with what it stands on."""

from functools import cache
from typing import Any

from mobile_export.tools import import_tool

_VEGA_LITE = "6.1"


@cache
def plotting_library() -> str:
    """Vega, Vega-Lite, and Vega-Embed with its interpreter, which does without `eval`; about 900 kB.

    Raises:
        MissingToolError: the package that brings them is not installed.
    """
    vl_convert: Any = import_tool("vl_convert")
    text: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=_VEGA_LITE)
    # What HTML would read as the end of the script, or as a comment in it, means the same with an escape.
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--").replace("\r", "\\r")

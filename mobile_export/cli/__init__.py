"""The command line: parse, call, print. The only place that prints or exits.

One module a group of commands; all of them are listed here, in the order in which `--help` shows them.
"""

import sys
import traceback
from collections.abc import Callable
from typing import Any

from mobile_export.cli import (
    apps,
    building,
    caching,
    classic,
    comparing,
    devices,
    linting,
    locking,
    models,
    published,
    tools,
)
from mobile_export.cli.app import app, complain
from mobile_export.errors import INTERRUPTED, ExportError

COMMANDS: tuple[Callable[..., Any], ...] = (
    building.build,
    building.demo,
    published.run,
    published.verify,
    locking.lock,
    locking.fetch,
    locking.diff,
    caching.cache,
    apps.gradle,
    apps.xcode,
    apps.swiftpm,
    apps.pack,
    comparing.compare,
    models.explain,
    linting.lint,
    models.inspect,
    models.init,
    tools.doctor,
    tools.kernels,
    tools.schema,
)
CLASSIC: tuple[Callable[..., Any], ...] = (
    classic.freeze_graph,
    classic.optimize_for_inference,
    classic.convert_memmapped,
    classic.quantize_graph,
    classic.transform_graph,
)
"""Commands that read their own flags."""

for command in COMMANDS:
    app.command()(command)
app.add_typer(devices.device, name="device")
for command in CLASSIC:
    unread = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(context_settings=unread, add_help_option=False)(command)


def main() -> None:
    """Entry point: errors become one message and their exit code."""
    from mobile_export.workers import WorkerBug

    try:
        app()
    except ExportError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except WorkerBug as error:
        complain(f"this is a bug of mobile-export; please report it:\n{error}")
        sys.exit(ExportError.exit_code)
    except Exception:  # noqa: BLE001  the last resort: a bug of ours has its own code
        complain(f"this is a bug of mobile-export; please report it:\n{traceback.format_exc()}")
        sys.exit(ExportError.exit_code)

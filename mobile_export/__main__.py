"""`mobile-export`, and `python -m mobile_export`."""

import sys

from mobile_export.incremental.unchanged import answer


def main() -> None:
    """Entry point. A build with nothing to do is answered before the command line's framework is imported."""
    if sys.argv[1:2] == ["build"] and answer(sys.argv[1:]):
        return
    try:
        from mobile_export.cli import main
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(130)
    main()


if __name__ == "__main__":
    main()

"""The commands, one line each: python -m benchmarks."""

import ast
from pathlib import Path

COMMANDS = ("cold_export", "unchanged", "growth", "classic", "artifacts", "page")
"""In the order of the page, which is made last."""


def main() -> None:
    for name in COMMANDS:
        module = ast.parse(Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))
        first_line = (ast.get_docstring(module) or "").partition("\n")[0]
        print(f"python -m benchmarks.{name:12} {first_line}")


if __name__ == "__main__":
    main()

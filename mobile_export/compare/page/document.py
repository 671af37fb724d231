"""Puts the page together: templates, style, program, data and the plotting library, all in one file.

Every script and the style are named by their hashes in the page's content security policy, which allows nothing else:
whatever a model's names hold, nothing of it runs, and nothing is loaded from anywhere.
"""

import base64
import hashlib
import json
from importlib.resources import files
from math import isfinite
from typing import Any

from mobile_export.compare.cells import kind, measuring, reference_line, refused, rows, unseen
from mobile_export.compare.columns import columns
from mobile_export.compare.page.delegates import delegates
from mobile_export.compare.page.figures import figures
from mobile_export.compare.page.graphs import links, operator_counts
from mobile_export.compare.page.library import plotting_library
from mobile_export.compare.page.schemes import called, chosen, describe_scheme, verdict
from mobile_export.compare.page.verdict import missed_limits, picks, sentence
from mobile_export.compare.pareto import MEANING
from mobile_export.compare.result import Comparison
from mobile_export.report.devices import counted, headings, legend
from mobile_export.report.terminal import format_bytes, format_measured, format_value


def render(comparison: Comparison) -> str:
    """The page's text.

    Raises:
        MissingToolError: the package that brings the plotting library is not installed.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("mobile_export.compare.page", "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["bytes"] = format_bytes
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}  # browsers read no other JSON
    style, program, library = _template("page.css"), _template("page.js"), plotting_library()
    drawn = {figure.id: figure for figure in figures(comparison)}
    return environment.get_template("page.html.j2").render(
        comparison=comparison,
        policy=_policy([style], [library, program]),
        style=Markup(style),  # noqa: S704  ours
        program=Markup(program),  # noqa: S704  ours
        library=Markup(library),  # noqa: S704  the package's, and named by its hash
        sentence=sentence(comparison),
        picks=picks(comparison),
        meaning=MEANING,
        candidates=[*rows(comparison), *refused(comparison)],
        kind=kind,
        reference=reference_line(comparison),
        measuring=list(measuring(comparison)),
        unseen=unseen(comparison),
        columns=columns(comparison),
        missed_limits=missed_limits,
        figures=drawn,
        specs={name: [_finite(variant.spec) for variant in figure.variants] for name, figure in drawn.items()},
        delegates=delegates(comparison),
        operators=operator_counts(comparison.graphs),
        links=links,
        called=called,
        chosen=chosen,
        describe_scheme=describe_scheme,
        verdict=verdict,
        format_value=format_value,
        format_measured=format_measured,
        counted=counted,
        measured_there=headings(comparison.manifest),
        legend=legend(headings(comparison.manifest)),
        manifest=json.dumps(comparison.manifest.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False),
    )


def _finite(data: Any) -> Any:
    """The same without numbers that JSON does not have; what has none is not drawn."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not isfinite(data) else data


def _template(name: str) -> str:
    return (files("mobile_export.compare.page") / "templates" / name).read_text(encoding="utf-8").strip()


def _policy(styles: list[str], scripts: list[str]) -> str:
    """A content security policy: these styles and scripts, and nothing from anywhere."""
    allowed = {"style-src": styles, "script-src": scripts}
    sources = [f"{what} {' '.join(_hash(text) for text in texts)}" for what, texts in allowed.items()]
    return "; ".join(["default-src 'none'", *sources, "img-src data:", "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

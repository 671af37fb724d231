"""A comparison as one HTML page, which works from a file and asks no network for anything."""

from mobile_export.compare.page.document import render

__all__ = ["render"]

"""Names in generated code: as near to what a model calls its parts as can be, and no two alike."""

import re
from collections.abc import Collection, Iterable


def camel_case(name: str) -> str:
    """`detection_boxes` as `detectionBoxes`; `tensor` where nothing of it is an ASCII letter or digit."""
    first, *rest = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word] or ["tensor"]
    first = first.lower() if first.isupper() else first[0].lower() + first[1:]
    return letter_first(first + "".join(word[0].upper() + word[1:] for word in rest))


def letter_first(name: str) -> str:
    """The name with an underscore before a digit, with which none may begin."""
    return f"_{name}" if name[0].isdigit() else name


def free_names(wanted: Iterable[str], taken: Collection[str] = (), endings: Collection[str] = ("",)) -> list[str]:
    """Each wanted name, followed by underscores where it is taken.

    Args:
        taken: what the language or the class has already.
        endings: with which further names are made of each; those must be free, too.
    """
    unfree = set(taken)
    found = []
    for name in wanted:
        while not unfree.isdisjoint(name + ending for ending in endings):
            name += "_"
        unfree.update(name + ending for ending in endings)
        found.append(name)
    return found


def visible(text: str) -> str:
    """Text for a comment, whose line it does not leave: what cannot be printed is a space."""
    return "".join(character if character.isprintable() else " " for character in text)

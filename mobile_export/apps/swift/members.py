"""Types, inputs and outputs of a model, as generated Swift has them."""

from mobile_export.apps.interface import EdgeEntry, PreprocessingEntry
from mobile_export.apps.members import Member
from mobile_export.apps.swift import names

TYPES = {
    "bool": "Bool",
    "float16": "Float16",
    "float32": "Float",
    "float64": "Double",
    **{f"{sign.lower()}int{bits}": f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
}
"""Swift's types of elements, by NumPy's name."""


class SwiftMember(Member):
    """An input or output of the class."""

    @property
    def identifier(self) -> str:
        """Its name where it is declared."""
        return names.identifier(self.name)

    @property
    def labels_name(self) -> str:
        return f"{self.name}Labels"

    @property
    def type(self) -> str:
        return TYPES[self.port.dtype]

    @property
    def shape(self) -> str:
        return str(list(self.port.shape))

    @property
    def summary(self) -> str:
        """What it is, in a line."""
        how = self.port.preprocessing
        if how is None:
            return f"{self.side.capitalize()}, {self.port.dtype}{self.shape}."
        raw = "RGB values, which are turned to BGR," if how.channel_order == "bgr" else "values, which are"
        return f"{self.side.capitalize()}, {self.port.dtype}{self.shape}: raw {raw} scaled and normalized."

    @property
    def call(self) -> str:
        """Makes its tensor, and ties it to the file's edge."""
        function = f"real{self.side.capitalize()}" if self.port.dtype.startswith("float") else self.side
        shape = f"shapes.{self.name}" if self.is_open else self.shape
        call = f"{function}(facts.{self.side}s[{self.index}], {shape}"
        how = self.port.preprocessing
        return f"{call})" if how is None else f"{call}, {_preprocessing(how)})"


def edge(entry: EdgeEntry) -> str:
    """An Edge."""
    step = "" if entry.scale is None else f", scale: {entry.scale!r}, zeroPoint: {entry.zero_point or 0}"
    return f"Edge({names.literal(entry.name)}, .{entry.dtype}{step})"


def _preprocessing(how: PreprocessingEntry) -> str:
    mean, std = list(map(float, how.mean)), list(map(float, how.std))
    backwards = "true" if how.channel_order == "bgr" else "false"
    indent = "\n" + 12 * " "
    fields = [f"scale: {how.scale!r}", f"mean: {mean}", f"std: {std}", f"reversed: {backwards}"]
    return f"Preprocessing({','.join(indent + field for field in fields)})"

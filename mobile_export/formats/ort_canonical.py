"""The bytes of an .ort file as a function of its model.

ONNX Runtime writes the model first, from the file's end towards its beginning, and always alike. What it writes last,
and so at the beginning, is a table of which arguments decide on the kernels of each operator, in the order of a hash
table with a seed of its own. That part is written anew here, sorted, before the model's bytes as they are.
"""

import logging
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mobile_export.errors import ConversionError
from mobile_export.tools import import_tool

_Entry = tuple[bytes, list[tuple[bytes, list[tuple[int, int]]]]]
"""An operator; for each name of a type: kind (input or output) and place of the arguments that have it."""

_IDENTIFIER = b"ORTM"
_ALIGNMENT = 16


def ort_tool() -> Any:
    """ONNX Runtime's tool for its format, without the logging that it sets up for everybody."""
    root = logging.getLogger()
    before = list(root.handlers)
    tool = import_tool("onnxruntime.tools.ort_format_model")
    for handler in [handler for handler in root.handlers if handler not in before]:
        root.removeHandler(handler)
    return tool


def read_session(content: bytes, name: str) -> Any:
    """The root of an .ort file, in the schema's terms.

    Raises:
        ConversionError: it is none.
    """
    kind = ort_tool().ort_model_processor.fbs.InferenceSession.InferenceSession
    if len(content) < len(_IDENTIFIER) * 2 or not kind.InferenceSessionBufferHasIdentifier(content, 0):
        raise ConversionError(f"{name} is no .ort file")
    return kind.GetRootAs(content)


def canonical(content: bytes) -> bytes:
    """An .ort file that ONNX Runtime has just written, in its canonical form."""
    fbs = ort_tool().ort_model_processor.fbs
    import flatbuffers

    session = read_session(content, "what ONNX Runtime wrote")
    model = session.Model()._tab.Pos
    begin = min(model, model - struct.unpack_from("<i", content, model)[0])  # its table of fields may come first
    builder = flatbuffers.Builder(len(content) + begin + 4096)
    builder.Bytes[len(builder.Bytes) - len(content) + begin :] = content[begin:]
    builder.head, builder.minalign = len(builder.Bytes) - len(content) + begin, _ALIGNMENT
    resolver = _write(builder, fbs, sorted(_read(session.KernelTypeStrResolver())))
    version = builder.CreateString(session.OrtVersion())
    kind = fbs.InferenceSession
    kind.InferenceSessionStart(builder)
    kind.InferenceSessionAddOrtVersion(builder, version)
    kind.InferenceSessionAddModel(builder, len(content) - model)
    kind.InferenceSessionAddKernelTypeStrResolver(builder, resolver)
    builder.Finish(kind.InferenceSessionEnd(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _read(resolver: Any) -> Iterator[_Entry]:
    for i in range(resolver.OpKernelTypeStrArgsLength()):
        operator = resolver.OpKernelTypeStrArgs(i)
        types = []
        for k in range(operator.KernelTypeStrArgsLength()):
            entry = operator.KernelTypeStrArgs(k)
            places = [entry.Args(n) for n in range(entry.ArgsLength())]
            types.append((entry.KernelTypeStr(), [(place.ArgType(), place.Index()) for place in places]))
        yield operator.OpId(), sorted(types)


def _write(builder: Any, fbs: Any, operators: Sequence[_Entry]) -> int:
    written = []
    for name, types in operators:
        entries = [_write_type(builder, fbs, type_name, places) for type_name, places in types]
        kind = fbs.OpIdKernelTypeStrArgsEntry
        vector = _vector(builder, kind.OpIdKernelTypeStrArgsEntryStartKernelTypeStrArgsVector, entries)
        text = builder.CreateString(name)
        kind.OpIdKernelTypeStrArgsEntryStart(builder)
        kind.OpIdKernelTypeStrArgsEntryAddOpId(builder, text)
        kind.OpIdKernelTypeStrArgsEntryAddKernelTypeStrArgs(builder, vector)
        written.append(kind.OpIdKernelTypeStrArgsEntryEnd(builder))
    kind = fbs.KernelTypeStrResolver
    vector = _vector(builder, kind.KernelTypeStrResolverStartOpKernelTypeStrArgsVector, written)
    kind.KernelTypeStrResolverStart(builder)
    kind.KernelTypeStrResolverAddOpKernelTypeStrArgs(builder, vector)
    return int(kind.KernelTypeStrResolverEnd(builder))


def _write_type(builder: Any, fbs: Any, name: bytes, places: Sequence[tuple[int, int]]) -> int:
    written = []
    for argument, index in places:
        kind = fbs.ArgTypeAndIndex
        kind.ArgTypeAndIndexStart(builder)
        kind.ArgTypeAndIndexAddArgType(builder, argument)
        kind.ArgTypeAndIndexAddIndex(builder, index)
        written.append(kind.ArgTypeAndIndexEnd(builder))
    kind = fbs.KernelTypeStrArgsEntry
    vector = _vector(builder, kind.KernelTypeStrArgsEntryStartArgsVector, written)
    text = builder.CreateString(name)
    kind.KernelTypeStrArgsEntryStart(builder)
    kind.KernelTypeStrArgsEntryAddKernelTypeStr(builder, text)
    kind.KernelTypeStrArgsEntryAddArgs(builder, vector)
    return int(kind.KernelTypeStrArgsEntryEnd(builder))


def _vector(builder: Any, start: Callable[[Any, int], object], offsets: Sequence[int]) -> int:
    start(builder, len(offsets))
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())

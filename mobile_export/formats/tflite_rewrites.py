"""Float operators that neither quantizer knows, replaced by equal ones that both know.

    NEG(x)     =>  MUL(x, -1)
    SQUARE(x)  =>  MUL(x, x)

Exact in float. A PReLU written as relu(x) - a·relu(-x) holds the first, a hand-written norm the second.
"""

from typing import Any

import numpy as np

from mobile_export.formats.flatbuffer import add_constant, operator_code, schema, walk


def ease_quantization(model: Any) -> bool:
    """Apply the rewrites to `model`; whether any applied."""
    operators = schema().BuiltinOperator
    found = [
        (subgraph, operator, code)
        for subgraph, operator, code in walk(model)
        if code in (operators.NEG, operators.SQUARE)
        and subgraph.tensors[operator.inputs[0]].type == schema().TensorType.FLOAT32
    ]
    for subgraph, operator, code in found:
        factor = operator.inputs[0]
        if code == operators.NEG:
            factor = add_constant(model, subgraph, b"minus_one", np.array(-1, np.float32))
        operator.inputs = [operator.inputs[0], factor]
        operator.opcodeIndex = operator_code(model, operators.MUL)
        operator.builtinOptionsType, operator.builtinOptions = (
            schema().BuiltinOptions.MulOptions,
            schema().MulOptionsT(),
        )
    return bool(found)

"""Small rewrites of a .tflite model around quantization, where the quantizers leave float behind for no reason."""

from typing import Any

import numpy as np

from mobile_export.formats.flatbuffer import add_constant, operator_code, schema, walk


def ease_quantization(model: Any) -> bool:
    """Replace float operators that no quantizer knows by equal ones that all know; whether there were any.

        NEG(x)     =>  MUL(x, -1)
        SQUARE(x)  =>  MUL(x, x)

    A PReLU written as relu(x) - a·relu(-x) holds the first, a hand-written norm the second.
    """
    operators, options = schema().BuiltinOperator, schema().BuiltinOptions
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
        operator.builtinOptionsType, operator.builtinOptions = options.MulOptions, schema().MulOptionsT()
    return bool(found)


def keep_integers(model: Any) -> None:
    """Take away dequantization that an int8 model does not need: order survives scaling.

    ARG_MAX(DEQUANTIZE(q))  =>  ARG_MAX(q)     and ARG_MIN
    output DEQUANTIZE(q)    =>  output q
    """
    main, operators = model.subgraphs[0], schema().BuiltinOperator
    codes = {id(operator): code for subgraph, operator, code in walk(model) if subgraph is main}
    dequantized = {
        operator.outputs[0]: operator.inputs[0]
        for operator in main.operators
        if codes[id(operator)] == operators.DEQUANTIZE
        and main.tensors[operator.inputs[0]].type == schema().TensorType.INT8
    }
    for operator in main.operators:
        if codes[id(operator)] in (operators.ARG_MAX, operators.ARG_MIN):
            operator.inputs[0] = dequantized.get(operator.inputs[0], operator.inputs[0])
    main.outputs = [dequantized.get(index, index) for index in main.outputs]
    read = {index for operator in main.operators for index in operator.inputs} | set(main.outputs)
    main.operators = [o for o in main.operators if o.outputs[0] in read or o.outputs[0] not in dequantized]

"""The pieces of TensorFlow's eight-bit graphs, and the rewrites that put them together.

Eight-bit values are quint8 beside two float scalars, the numbers that 0 and 255 stand for (mode MIN_FIRST). An operator
on them has a fourth of the memory traffic, and answers in qint32 or quint8, beside the range of its answer.

    nodes          the operators that convert, one function each
    kernels        which operators have an eight-bit kernel, and for which of their settings
    placeholders   float inputs become quint8 inputs
    fake_quants    ranges that were trained are used where 32 bits become eight
    operators      float operators become eight-bit operators between conversions
    round_trips    conversions to float and back between two eight-bit operators are passed by
"""

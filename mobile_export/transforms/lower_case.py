"""Choices among many branches become choices between two, which is what converters know."""

from collections.abc import Sequence

from mobile_export.graphs.graph import Graph, attribute, control_inputs, data_inputs
from mobile_export.graphs.protos import FunctionDef, FunctionDefLibrary, NameAttrList, NodeDef
from mobile_export.transforms.patterns import drop_unused_functions

_CASES = {"Case": ("StatefulPartitionedCall", "If"), "StatelessCase": ("PartitionedCall", "StatelessIf")}
"""Each with the operators that call one function, and choose between two, as it does."""

_MOST = 128
"""Branches that are nested: what TensorFlow takes to load them grows with the cube of the depth."""

_BOOL, _INT32 = 10, 3  # TensorFlow's numbers
_INDEX = "index"


def lower_case(graph: Graph) -> Graph:
    """Nest two-way branches in the place of a Case, in functions, too; inlining the call is left to others.

        Case(i, x, branches=[f, g, h])  =>  PartitionedCall(x, i, c)
        c(x, i) = If(i == 0, x, i, then=f, else=d)
        d(x, i) = If(i == 1, x, i, then=g, else=h)

    An index that is out of range takes the last branch, as TensorFlow has it. Functions that are branches get a copy
    that takes the index, too. A Case of more than 128 branches stays, and formats that cannot hold it say so.
    """
    graph = graph.copy()
    library = FunctionDefLibrary()
    library.CopyFrom(graph.library)
    inner = [node for function in library.function for node in function.node_def]
    cases = [node for node in [*graph.nodes.values(), *inner] if node.op in _CASES]
    if not cases:
        return graph
    functions = _Functions({function.signature.name: function for function in library.function})
    for case in cases:
        _call_instead(case, functions)
    graph.library = functions.all()
    drop_unused_functions(graph)
    return graph


def _call_instead(case: NodeDef, functions: "_Functions") -> None:
    """Make `case` a call of a function that makes the choice; one whose branches are not there, or too many, stays."""
    branches = attribute(case, "branches").list.func
    if not 0 < len(branches) <= _MOST or any(branch.name not in functions.by_name for branch in branches):
        return
    choice = functions.choice(case, branches)
    index, *arguments = data_inputs(case)
    case.input[:] = [*arguments, index, *control_inputs(case)]
    case.op = _CASES[case.op][0]
    del case.attr["branches"]
    case.attr["Tin"].list.type.append(_INT32)
    case.attr["f"].func.CopyFrom(choice)


class _Functions:
    """The functions of a graph, and those that are added to them.

    Attributes:
        by_name: all of them.
    """

    def __init__(self, by_name: dict[str, FunctionDef]) -> None:
        self.by_name = by_name
        self._indexed: dict[str, str] = {}

    def choice(self, case: NodeDef, branches: Sequence[NameAttrList]) -> NameAttrList:
        """A function of what `case` gives its branches, and then the index, that calls one of them."""
        chosen = self._with_index(branches[-1])
        for number, branch in reversed(list(enumerate(branches[:-1]))):
            function = _either(case, number, self._with_index(branch), chosen)
            function.signature.name = self._free_name(f"{branch.name}_or_later")
            chosen = self._added(function)
        return chosen

    def _with_index(self, branch: NameAttrList) -> NameAttrList:
        """`branch`, with a last argument that it leaves alone; `all` makes it."""
        if branch.name not in self._indexed:
            function = FunctionDef()
            function.signature.name = self._free_name(f"{branch.name}_indexed")
            self._indexed[branch.name] = self._added(function).name
        return NameAttrList(name=self._indexed[branch.name], attr=branch.attr)

    def _free_name(self, name: str) -> str:
        free, k = name, 0
        while free in self.by_name:
            k += 1
            free = f"{name}_{k}"
        return free

    def all(self) -> FunctionDefLibrary:
        """The library, once the last choice in a function is made a call."""
        for name, indexed in self._indexed.items():
            function = self.by_name[indexed]
            function.CopyFrom(self.by_name[name])
            function.signature.name = indexed
            argument, taken = (
                _INDEX,
                {a.name for a in function.signature.input_arg} | {n.name for n in function.node_def},
            )
            while argument in taken:
                argument += "_"
            function.signature.input_arg.add(name=argument, type=_INT32)
        return FunctionDefLibrary(function=self.by_name.values())

    def _added(self, function: FunctionDef) -> NameAttrList:
        self.by_name[function.signature.name] = function
        return NameAttrList(name=function.signature.name)


def _either(case: NodeDef, number: int, then: NameAttrList, otherwise: NameAttrList) -> FunctionDef:
    """`then` where the index is `number`, and `otherwise` where it is not; still without a name."""
    function = FunctionDef()
    types = [*attribute(case, "Tin").list.type, _INT32]
    arguments = [*(f"argument_{i}" for i in range(len(types) - 1)), _INDEX]
    for name, dtype in zip(arguments, types, strict=True):
        function.signature.input_arg.add(name=name, type=dtype)
    for i, dtype in enumerate(attribute(case, "Tout").list.type):
        function.signature.output_arg.add(name=f"result_{i}", type=dtype)
        function.ret[f"result_{i}"] = f"choose:output:{i}"
    choose = NodeDef(name="choose", op=_CASES[case.op][1], input=["is_taken:z:0", *arguments])
    choose.attr["Tcond"].type = _BOOL
    choose.attr["Tin"].list.type.extend(types)
    for key in ("Tout", "output_shapes"):
        choose.attr[key].CopyFrom(attribute(case, key))
    choose.attr["then_branch"].func.CopyFrom(then)
    choose.attr["else_branch"].func.CopyFrom(otherwise)
    function.node_def.extend([*_equals(number), choose])
    return function


def _equals(number: int) -> list[NodeDef]:
    """The nodes of a function that compare its index with `number`."""
    constant = NodeDef(name="number", op="Const")
    constant.attr["dtype"].type = _INT32
    constant.attr["value"].tensor.dtype = _INT32
    constant.attr["value"].tensor.tensor_shape.SetInParent()
    constant.attr["value"].tensor.int_val.append(number)
    compared = NodeDef(name="is_taken", op="Equal", input=[_INDEX, "number:output:0"])
    compared.attr["T"].type = _INT32
    compared.attr["incompatible_shape_error"].b = True
    return [constant, compared]

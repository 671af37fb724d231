"""Kernels: what a graph needs of the TensorFlow that runs it, and whether a phone's TensorFlow has it.

needed      the kernels of a graph, by TensorFlow's own registry
files       the kernels of the graph in a file
runtimes    what another build of TensorFlow has: lists that come with this tool, or the app team's own
attributes  what an older TensorFlow does not know, left out where that changes nothing
header      `ops_to_register.h`, by which TensorFlow's build knows what to leave in
published   the same for a published folder
survey      what the command shows
"""

"""The steps of optimize_for_inference, each a function from Graph to Graph, in the order in which they are run:

placeholders_to_const, strip_unused, remove_training_nodes, fuse_decomposed_batch_norm, fold_batch_norms,
fuse_resize_and_conv.
"""

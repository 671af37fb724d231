"""The graph, and what is known of its operators, names, tensors and text, whatever form it comes in."""

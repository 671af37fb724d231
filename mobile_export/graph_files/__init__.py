"""Files that hold a graph: what is in them, and how they are read and written without copies of the weights."""

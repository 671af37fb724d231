"""From a model as it was saved, training and all, to the network that is served."""

"""What a model is, found by looking at it and by trying every format; and a target file made of that."""

"""Which file a phone should get: all that a target could ship, side by side."""

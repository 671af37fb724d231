"""What is to be built, and what that depends on: targets checked, files hashed, keys made."""

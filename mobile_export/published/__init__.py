"""What lies in a published folder: manifest, files and their hashes, and how it takes its place."""

"""What a build need not do again, and what it depends on: records, known hashes, kept and cached files."""

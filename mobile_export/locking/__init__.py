"""What an app ships, pinned by hash: lock files, and what writes, fetches and compares what they name."""

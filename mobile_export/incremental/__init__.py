"""Whether there is anything to do: what the last run looked at, and hashes of files that did not change."""

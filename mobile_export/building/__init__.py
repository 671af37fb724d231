"""A build: files made, judged, described, published, or left as they are."""

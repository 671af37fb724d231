"""What is kept between builds, in the user's cache or a shared one; all of it may be deleted at any time."""

"""The clients of the reference page, as people install them, against a live gateway."""

"""Small programs that use a client library; each runs in that library's environment and prints JSON."""

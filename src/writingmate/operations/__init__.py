"""One file per meaning: what the gateway does, over a `Request` and a `Client`."""

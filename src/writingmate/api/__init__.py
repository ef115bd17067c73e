"""The ASGI data plane: finds the endpoint, reads the request, sends the answer."""

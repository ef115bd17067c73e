"""Hundreds of ``kill -9`` of gateways under load; the provider's own log is the judge (``make soak``)."""

"""Bytes without opinions: JSON documents one level deep, and server-sent events."""

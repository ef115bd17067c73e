"""Encryption at rest: master keys, what they seal, and users' own provider keys (PRODUCT §4)."""

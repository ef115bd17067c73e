"""The shape of the house, held by reading its source (ARCHITECTURE.md)."""

"""The heart: requests are held before they cost anything, and settled exactly once (PRODUCT §4)."""

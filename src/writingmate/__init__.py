"""A self-hosted AI workspace gateway: one OpenAI-compatible API, metered in messages."""

__version__ = "0.1.0"

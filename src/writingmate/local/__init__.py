"""The embedded models: small weights pulled once by digest, run in a child process.

The child is one more OpenAI upstream, on a unix socket. ``manifest`` says which models there are,
``sources`` and ``weights`` bring their files, ``worker`` runs one, ``child`` supervises it,
``requests``, ``tools`` and ``replies`` speak OpenAI's chat dialect on its behalf, and ``upstream``
puts them together.
"""

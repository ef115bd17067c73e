"""OpenAI's own clients, newest Python and npm, against a live gateway with a provider behind it."""

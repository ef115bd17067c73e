"""Every provider by every endpoint, run through a real gateway, and the page that says what came of it."""

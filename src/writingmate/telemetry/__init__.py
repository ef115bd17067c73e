"""What an operator sees: one log line for each request and notable event, and numbers for Prometheus."""

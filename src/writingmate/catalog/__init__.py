"""The catalog: which models there are, what they cost and allow, and which providers serve them."""

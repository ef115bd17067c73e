"""What the gateway costs: the same load straight to an upstream, through nginx and through us.

``python -m bench [--quick]`` runs it and prints one table; see `bench.__main__`.
"""

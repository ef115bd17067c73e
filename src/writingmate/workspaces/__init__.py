"""Workspaces: what a plan, a bill and a set of members belong to (PRODUCT §3)."""

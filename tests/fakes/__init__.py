"""Servers that stand where providers stand, on loopback, speaking their true wire formats."""

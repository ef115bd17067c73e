"""All sockets to providers are behind one seam, `Upstream`."""

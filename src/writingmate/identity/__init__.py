"""Who calls: users, their developer keys, and the principal that a key stands for (PRODUCT §2)."""

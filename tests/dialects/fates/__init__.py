"""What becomes of every field of every dialect: `pairs` says which, ``tables/`` says what."""

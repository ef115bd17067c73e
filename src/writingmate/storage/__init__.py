"""Where rows live: one database, SQLite or PostgreSQL, behind SQLAlchemy Core."""

"""What is committed, read as data: the catalog, the methods' files, and what was measured."""

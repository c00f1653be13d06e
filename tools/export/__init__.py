"""Papers for other programs: BibTeX, RIS, CSL, JSON, feeds, SQLite, their entry in papers.yaml."""

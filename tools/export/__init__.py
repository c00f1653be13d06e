"""Papers for other programs: BibTeX, RIS, CSL, JSON, feeds, and their entry in papers.yaml."""

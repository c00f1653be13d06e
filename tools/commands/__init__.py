"""The commands, a module each, with `arguments(parser)` and `main(options)`."""

# Command, which is its module's name, too -> what it does.
COMMANDS = {
    "validate": "check papers.yaml and what belongs to it",
    "build": "write README.md, the schema and the site's pages",
    "preview": "show the site in a browser while it is edited",
    "add": "make an entry from an identifier or a citation file",
    "fmt": "bring the entries of papers.yaml into their canonical form",
    "issue": "make an entry from the form 'Suggest a paper'",
    "verify": "compare entries with the records behind their identifiers",
    "links": "check the links and identifiers of papers.yaml",
    "suite": "read the runs that a library publishes",
    "export": "give papers as BibTeX, RIS, CSL, JSON, a feed, plain text or SQLite",
}

"""S0xx: the YAML text itself. `data.loader` finds these while it reads."""

from . import declare

declare(
    "S001",
    "Not UTF-8",
    "The catalog is UTF-8 without a byte-order mark. Anything else would be read differently by "
    "different programs, so reading stops at the first byte that is not UTF-8.",
    bad="a file saved as Latin-1, or as UTF-8 with a byte-order mark",
    good="a file saved as UTF-8",
)
declare(
    "S002",
    "Not YAML",
    "The text cannot be parsed. The usual causes are a missing space after a colon, a colon or a "
    "hash sign inside an unquoted text, an unclosed quote and indentation that does not line up.",
    bad="title: Tuning: Notes",
    good='title: "Tuning: Notes"',
)
declare(
    "S003",
    "Too large or too deep",
    "Files above 50 MB and structures nested more than 32 levels deep are refused before they can "
    "exhaust the memory of whoever reads them.",
    bad="related: " + "[" * 40 + "]" * 40,
    good="related: [mao2021unipelt]",
)
declare(
    "S004",
    "Anchor, alias, tag or directive",
    "The catalog is plain data. Anchors and aliases hide what an entry says and can blow up a "
    "small file into a huge one; tags can ask a reader to build arbitrary objects.",
    bad="kind: &kind method",
    good="kind: method",
)
declare(
    "S005",
    "Several documents",
    "The file holds one YAML document. Most readers would silently ignore the second one.",
    bad="---\npapers:",
    good="papers:",
)
declare(
    "S006",
    "Invisible character",
    "Control characters, tabs, zero-width characters, unusual spaces and marks that change the "
    "direction of the text are refused, raw or written as an escape. They make two texts that look "
    "the same differ, and can make a text look like another.",
    bad='title: "A\\u200b Survey"',
    good='title: "A Survey"',
)
declare(
    "S007",
    "Not in normal form C",
    "An accented letter can be one character or a letter followed by a combining accent. The "
    "catalog uses the composed form (Unicode NFC), so that names can be compared and found.",
    bad='note: "A cafe\\u0301 of methods."',
    good='note: "A café of methods."',
)
declare(
    "S008",
    "Duplicate key",
    "A key occurs once in an entry. YAML readers would keep the last value without a word.",
    bad="kind: method\n    kind: survey",
    good="kind: method",
)
declare(
    "S009",
    "Unquoted value that changes its type",
    "Without quotes, YAML readers turn 2106.09685 into a number (and 2401.02310 loses its zero), "
    "NO into false, 12:30:45 into a number of seconds, 2021-06-17 into a date and an empty value "
    "into null. Write such a text in quotes, and leave out a key that has no value.",
    bad="arxiv: 2106.09685",
    good='arxiv: "2106.09685"',
)
declare(
    "S010",
    "Not a file of entries",
    "A file in `papers/` holds the section `papers` and nothing else: taxonomy, venues and "
    "modalities stand in papers.yaml, once for all entries.",
    bad="papers/2021.yaml with a section venues",
    good="papers/2021.yaml with the section papers alone",
)

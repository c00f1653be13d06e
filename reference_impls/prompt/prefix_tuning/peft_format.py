"""Why there is no way to and from peft's files."""

REFUSED = "there the positions of the text begin at the length of the prefix"

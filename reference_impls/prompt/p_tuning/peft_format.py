"""Why there is no way to and from peft's files."""

REFUSED = "there is no template there: pseudo-tokens stand in front of the text"

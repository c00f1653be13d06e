"""Text as such: how it is escaped, marked up, filled into templates and put into words."""

"""The site's pages in Markdown, with their styles and scripts."""

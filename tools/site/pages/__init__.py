"""The pages of the site, a folder for each part of it: module, templates, style and script.

Each module has `pages(site)`, which yields every page it makes as (path below docs/, text).
"""

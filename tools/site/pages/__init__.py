"""The pages of the site, a module for each part of it.

Each module has `pages(site)`, which yields every page it makes as (path below docs/, text).
"""

"""Spiders: `feed`, `sitemap` and `listing` read one kind of list, `site` all that a source has."""

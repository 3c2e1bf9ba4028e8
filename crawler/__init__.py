"""Brings bytes in: readers, spiders, the command line. Imports `pipelines`, never the reverse."""

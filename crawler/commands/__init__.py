"""One command a file, thin over plain functions. `crawler.cli` gathers them."""

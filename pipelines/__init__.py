"""Everything that happens to a document after it arrived."""

"""Storage: the tables, the one module that writes them, and the engines to reach them."""

"""The web page of `warraq serve`: FastAPI and Jinja2 over the queries in `pipelines.db`."""

"""One stage a file; `pipelines.process` has their order."""

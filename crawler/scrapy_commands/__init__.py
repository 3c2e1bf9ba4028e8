"""Commands of `scrapy` that behave as those of `warraq` do."""

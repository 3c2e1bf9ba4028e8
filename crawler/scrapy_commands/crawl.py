"""`scrapy crawl`, whose exit code tells of an ill source where WARRAQ_STRICT is set."""

import argparse

from scrapy.commands import crawl


class Command(crawl.Command):
    def run(self, args: list[str], opts: argparse.Namespace) -> None:
        super().run(args, opts)
        from crawler.monitors import ill

        assert self.settings is not None  # noqa: S101
        if ill and self.settings.getbool("WARRAQ_STRICT"):
            self.exitcode = 1

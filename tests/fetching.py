"""Requests with the settings of a crawl, in a process of its own: `fetch(urls, **settings)`.

Each request gives a dict: `url`, and `status`, `size`, `final` of the answer, or `reason`,
`detail` of its failure, as a crawl's errback gets it; `peak` is the process's memory in bytes.
"""

import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

from tests.conftest import ROOT

#: What a crawl has beside its bounds, and would only take time here.
WITHOUT: dict[str, Any] = {
    "ITEM_PIPELINES": {},
    "SPIDER_MODULES": [],
    "EXTENSIONS": {},
    "AUTOTHROTTLE_ENABLED": False,
    "ROBOTSTXT_OBEY": False,
    "RETRY_ENABLED": False,
    "CONCURRENT_REQUESTS": 4,
    "LOG_LEVEL": "ERROR",
    "WARRAQ_LONGEST_WAIT": 0,
    "WARRAQ_ALLOW_ADDRESSES": "",
}


def fetch(
    urls: list[str],
    environment: dict[str, str] | None = None,
    patience: list[str] | None = None,
    **settings: Any,
) -> list[dict[str, Any]]:
    """What became of each request, in the order of the URLs. Those of `patience` have a minute,
    whatever DOWNLOAD_TIMEOUT is."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fetching"],
        cwd=ROOT,
        input=json.dumps([urls, patience or [], WITHOUT | settings]).encode(),
        capture_output=True,
        timeout=120,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == len(urls), (told, done.stderr.decode())
    return sorted(told, key=lambda row: int(row["number"]))


def _main() -> None:
    from scrapy import Request, Spider
    from scrapy.crawler import AsyncCrawlerProcess
    from scrapy.settings import Settings

    from crawler.middlewares import reason_of

    urls, patience, settings = json.load(sys.stdin)

    class Fetching(Spider):
        name = "fetching"

        async def start(self) -> Any:
            for number, url in enumerate(urls):
                yield Request(
                    url,
                    dont_filter=True,
                    callback=self.got,
                    errback=self.failed,
                    cb_kwargs={"number": number},
                    meta={"number": number, "began": time.monotonic()}
                    | ({"download_timeout": 60} if url in patience else {}),
                )

        def got(self, response: Any, number: int) -> None:
            self.say(response.request, status=response.status, size=len(response.body),
                     final=response.url)  # fmt: skip

        def failed(self, failure: Any) -> None:
            reason, detail = reason_of(failure.value)
            self.say(failure.request, reason=str(reason), detail=detail)

        def say(self, request: Any, **told: Any) -> None:
            number = request.meta["number"]
            told |= {
                "number": number,
                "url": urls[number],
                "seconds": time.monotonic() - request.meta["began"],
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
            print(json.dumps(told), flush=True)

    known = Settings()
    known.setmodule("crawler.settings", priority="project")
    known.setdict(settings, priority="cmdline")
    process = AsyncCrawlerProcess(known)
    process.crawl(Fetching)
    process.start()


if __name__ == "__main__":
    _main()

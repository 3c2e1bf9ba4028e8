"""Serves a generated newsroom on loopback: `python -m tests.site --port 8000 --articles 200`."""

import argparse
import signal

from tests.site import Site


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.site", description=__doc__)
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=8000)
    options.add_argument("--articles", type=int, default=40)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Site(host=given.host, port=given.port, articles=given.articles, seed=given.seed) as site:
        ways = "feeds /feed.xml /atom.xml /rdf.xml, sitemaps /sitemap.xml"
        try:
            print(f"{site.url}/  ({ways})", flush=True)
            site.closing.wait()
        except KeyboardInterrupt:
            print(f"{len(site.requests)} requests")


if __name__ == "__main__":
    main()

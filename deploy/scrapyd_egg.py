"""Writes `warraq.egg`, by which Scrapyd finds the spiders of the Warraq installed beside it.

python deploy/scrapyd_egg.py warraq.egg
"""

import sys
import zipfile
from importlib.metadata import version


def main() -> None:
    with zipfile.ZipFile(sys.argv[1], "w") as egg:
        facts = f"Metadata-Version: 2.1\nName: warraq-on-scrapyd\nVersion: {version('warraq')}\n"
        egg.writestr("EGG-INFO/PKG-INFO", facts)
        egg.writestr("EGG-INFO/entry_points.txt", "[scrapy]\nsettings = crawler.settings\n")


if __name__ == "__main__":
    main()

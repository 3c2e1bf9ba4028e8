"""Tells another program by HTTP: one JSON object, POSTed to an address that the user names."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from pipelines.errors import UsageError, WebhookError

#: Seconds before each attempt; a request itself takes ten at most.
_WAITS = (0.0, 1.0, 4.0)
_TIMEOUT = 10.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would make the POST a GET, and lose what it tells."""

    def redirect_request(self, *_: Any) -> None:
        return None


def post(url: str, told: Mapping[str, Any], waits: tuple[float, ...] = _WAITS) -> None:
    """Sends it; tries again where the other side is not there or says that it can't now.

    Raises UsageError if the URL is none of the web's, WebhookError if nobody took it.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise UsageError(f"--webhook {url}: must be an http or https URL")
    body = json.dumps(told, ensure_ascii=False, default=str).encode("utf-8", "replace")
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": f"Warraq/{version('warraq')}",
    }
    opener = urllib.request.build_opener(_NoRedirects)
    said = ""
    for wait in waits:
        time.sleep(wait)
        try:
            request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310
            with opener.open(request, timeout=_TIMEOUT):
                return
        except urllib.error.HTTPError as error:
            error.close()
            said = f"HTTP status {error.code}"
            if error.code < 500 and error.code not in (408, 425, 429):
                break
        except (OSError, ValueError) as error:
            said = str(getattr(error, "reason", None) or error)
    raise WebhookError(f"--webhook {url}: {said}; check the address and what listens there")

"""Hashes that make copies equal: of the text as words, and of the bytes as received."""

import hashlib
from collections.abc import Sequence

from pipelines.arabic import match_key
from pipelines.document import Block


def content_hash(blocks: Sequence[Block]) -> str:
    """SHA-256 (hex) of the body's match key, title left out.

    Equal for copies with other spellings, digits, marks, punctuation or line breaks; stored
    with `arabic.KEY_VERSION`.
    """
    key = " ".join(filter(None, (match_key(block.text) for block in blocks)))
    return hashlib.sha256(key.encode()).hexdigest()


def raw_hash(body: bytes) -> str:
    """SHA-256 (hex) of the bytes as received."""
    return hashlib.sha256(body).hexdigest()

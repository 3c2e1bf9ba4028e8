"""How links fall over pairs of articles whose likeness people scored.

Takes JSON lines with `texts` (two) and `overall` (a score from 1, the same story, to 4,
unrelated), and prints for each band of scores how many pairs are linked, by kind, and how alike
their texts are. Scores judge what is told, links whether one text repeats the other: two writers
on one event are the same story to people, and no copies.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from statistics import median

from crawler.show import print_table
from pipelines.stages.fingerprint import compare, fingerprint, similarity

BANDS = ((1.0, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, 5.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="JSON lines: texts, overall")
    pairs = [json.loads(line) for line in parser.parse_args().file.read_text("utf-8").splitlines()]
    print_table(
        ("score", "pairs", "linked", "kinds", "median Jaccard", "highest", "highest containment"),
        [_row(low, high, pairs) for low, high in BANDS],
    )


def _row(low: float, high: float, pairs: list[dict[str, object]]) -> list[object]:
    kinds: Counter[str] = Counter()
    alike: list[tuple[float, float]] = []
    for pair in pairs:
        score, texts = pair["overall"], pair["texts"]
        if isinstance(score, float | int) and low <= score < high and isinstance(texts, list):
            a, b = map(fingerprint, texts)
            alike.append(similarity(a, b))
            if copy := compare(a, b):
                kinds[copy.kind] += 1
    return [
        "4" if low == 4 else f"{low:g} to below {high:g}",
        len(alike),
        kinds.total(),
        ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())),
        f"{median(jaccard for jaccard, _ in alike):.3f}" if alike else None,
        f"{max(jaccard for jaccard, _ in alike):.3f}" if alike else None,
        f"{max(containment for _, containment in alike):.3f}" if alike else None,
    ]


if __name__ == "__main__":
    main()

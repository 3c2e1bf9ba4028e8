"""`python -m tests.fuzz.one TARGET SECONDS INPUT_SECONDS`: one target under libFuzzer."""

import sys

import atheris

with atheris.instrument_imports(include=["pipelines", "crawler"]):
    from tests.fuzz.__main__ import LONGEST, MEMORY_MB, prepare
    from tests.fuzz.targets import TARGETS

name, seconds, input_seconds = sys.argv[1:4]
target, inputs = TARGETS[name]
for data in inputs():
    target(data)  # loads models and lists, which is no input's fault
corpus, findings = prepare(name, inputs())
atheris.Setup(
    [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-timeout={input_seconds}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-max_len={LONGEST}",
        f"-artifact_prefix={findings}/",
        "-print_final_stats=1",
        "-verbosity=0",
        str(corpus),
    ],
    target,
)
atheris.Fuzz()

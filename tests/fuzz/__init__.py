"""Coverage-guided fuzzing: `python -m tests.fuzz` tells the targets."""

"""Inputs made by chance: specs, events, kubeconfigs and manifests. `python -m tests.fuzz` makes more of them for a while.

A target is a strategy of Hypothesis and a check, which raises AssertionError for an input that does harm. What is found becomes an
explicit example in `test_targets.py`.
"""

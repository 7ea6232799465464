"""The loop of ReleaseSets: gather, decide, write."""

"""The programs: the operator's command, and the kubectl plugin."""

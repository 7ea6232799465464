"""What commands print: tables, durations, links, sort order, errors and exit codes.

Begin with `output`.
"""

"""The page of a set: its waves as a timeline, as they go out and afterwards, and its history.

Begin with `details`, what it shows, and `page`, which makes HTML of that; `timeline` is the drawing.
"""

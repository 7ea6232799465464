"""Two environments compared: what runs in each, by digest, and which commits lie between.

Begin with `differences`, which the plugin's `diff` shows, too; `distance` is how two commits stand to each other, and `page` makes HTML
and JSON of both.
"""

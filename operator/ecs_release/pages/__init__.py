"""What pages show, and how they are made: for the board, and for the plugin's `board -o html`. No I/O and no clock, but for templates.

Begin with `matrix`, what runs where, and `matrix_page`, which makes HTML of it with `templates`.
"""

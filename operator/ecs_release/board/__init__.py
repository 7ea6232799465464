"""The board: a process of its own that shows what runs where, as pages that stay up to date, to those who may see it.

It reads our kinds and asks the API server who may see them; it has no AWS role, and writes nothing. Begin with `main`, which connects the
watch (`watch`, `inventory`) to what is served (`server`, `feed`). What pages show is of `pages`.
"""

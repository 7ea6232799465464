"""The loop, against ports only: what is known, what is due, and one pass at a time over each object."""

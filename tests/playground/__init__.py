"""`make playground`: the demo's bed, left running."""

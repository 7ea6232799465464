"""`make bench`: what it costs, measured against the simulated AWS as ratios within one run, for machines differ."""

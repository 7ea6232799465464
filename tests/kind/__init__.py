"""The operator as people install it: the image, the chart, a kind cluster; the simulated AWS in a pod beside it."""

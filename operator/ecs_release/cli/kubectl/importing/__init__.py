"""What the plugin makes of things that are there already: manifests of other tools, clusters that run."""

"""A file of two manifests, with comments and forms that an edit must leave as they are."""

from __future__ import annotations

TWO = """\
# Staging.
kind: ReleaseSet
spec:
  source: {tag: latest}
---
# Production: ask before you touch it.
apiVersion: ecs-release.dev/v1alpha1
kind: ReleaseSet
metadata:
  name: all-production   # the name
  annotations: {argocd.argoproj.io/sync-options: "Prune=confirm"}
spec:
  projectRef: {name: shop}
  serviceSet: all
  environmentRef: {name: production}
  # What runs.
  source:
    releaseHash: 1a2b3c4
  change:
    description: |
      two
      lines
    requestedBy: ana

  # How.
  strategy:
    onFailure: RollBack # all or nothing
"""

"""The commits service: a process of its own that asks git how commits relate. It has no rights in AWS or in the cluster.

Begin with `server`, whose requests go to a `repository` of `clones`; `fetching` decides when a remote is asked, `clone` and `git` run git,
and `bindings` says which namespace may name which repository. The operator's side is `ecs_release.commits`.
"""

"""Least privilege, proven: the rights of operator and board are compared with those that they used while the whole suite ran.

Each bed writes at its end what was asked for, where ECS_RELEASE_TEST_USED names a folder, as `make test` has it; `python -m tests.proof`
reads all of it and compares: with the chart's rules what the API server's audit log has of their service accounts, with the
policies of examples/iam what the simulated AWS was called for.
"""

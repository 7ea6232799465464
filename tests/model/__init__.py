"""A model of all that the operator meets: AWS, people, faults and its own crashes, in simulated time, and what must never be said of it.

`world` is the truth: ECS, ECR and the API server, written without a line of the operator. `driver` runs the real engine against it,
behind `ports`, which answer late, wrongly or not at all. `actions` is what may happen, `oracle` is what must hold. `run` plays a trace,
`walker` makes them up and reduces those that break a rule; `python -m tests.model --help` says how to call it.
"""

"""What many tests are made of: objects, what ECS shows, facts, and fakes of ports. Each has usual values, and takes what a test cares about.

Tests import from here and from no other test. `ecs` has services, deployments and tasks, `objects` the four kinds, `facts` what a decision
rests on.
"""

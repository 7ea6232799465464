"""A simulated AWS: moto's server with an ECS that really rolls out and an ECR put right. Nothing in `operator/` knows of it.

`client.Simulator` starts, asks, seeds and stops it; `python -m tests.aws_simulator` serves it; `control` lists what tests can command.

ecs/       rolling (the rules), lifecycle (of a task), scheduling and service (in time), records (service deployments), announcing;
           models and responses are moto's seams, *_actions the operations, *_views what they answer
ecr/, sts/ moto's, put right
world      clock, image behaviour by tag, faults and the log of calls, throttling, switches: shared by all accounts
middleware in front of moto: who calls, what is refused, what fails
events     ECS and ECR events through EventBridge to SQS

Time is real and AWS's durations are divided by a scale, or it is a `clock.VirtualClock`. State is brought up to date when somebody looks.
"""

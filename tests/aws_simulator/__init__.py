"""A simulated AWS: moto's server with an ECS that really rolls out and an ECR put right. Nothing in `operator/` knows of it.

`client.Simulator` starts, asks, seeds and stops it; `python -m tests.aws_simulator` serves it; `control` lists what tests can command.

ecs/       rolling and strategies (the rules), lifecycle (of a task), scheduling, stages, placing, failing and service (in time), records
           (service deployments), announcing; models and responses are moto's seams, *_actions the operations, *_views what they answer
ecr/, sts/ moto's, put right
world      clock, image behaviour by tag, faults and the log of calls, throttling, switches: shared by all accounts
middleware in front of moto: who calls, what is refused, what fails
events     ECS and ECR events through EventBridge to SQS

A BLUE_GREEN, LINEAR or CANARY service is created with `deploymentConfiguration=strategy("CANARY", hooks=[pause_hook(STAGE)])` of
`client_rollouts`, which also waits for stages and pauses, continues them, says what functions of hooks answer, sets off alarms, protects
tasks and adds container instances. What AWS does not document is guessed, and said where it is done: how long a stage lasts, that a first
deployment runs no hooks and does not bake, what ABORT leaves behind, that a rollback shows CLEAN_UP and no traffic, the words of refusals.
The simulator asks for no load balancer, though AWS shifts traffic with one or with Service Connect only. CODE_DEPLOY services show one
task set; new ones are CodeDeploy's, which is not simulated, nor are the task sets of EXTERNAL.

Time is real and AWS's durations are divided by a scale, or it is a `clock.VirtualClock`. State is brought up to date when somebody looks.
"""

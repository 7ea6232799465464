"""moto's ECR with its faults put right. Named as moto wants a service: models, responses, urls."""

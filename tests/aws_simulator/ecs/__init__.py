"""The simulated ECS. Named as moto wants a service: models, responses, urls."""

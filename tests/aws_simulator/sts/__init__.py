"""moto's STS, whose credentials can be made to last shortly. Named as moto wants a service: models, urls."""

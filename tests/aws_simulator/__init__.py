"""A simulated AWS: moto's server with an ECS that really rolls out and an ECR put right. Nothing in `operator/` knows of it."""

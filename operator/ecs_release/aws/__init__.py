"""AWS adapters: sessions and roles, ECS, ECR, pacing, and AWS's error codes as the domain's errors. The only importer of boto3."""

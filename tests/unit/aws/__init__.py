"""The parts of the AWS adapters, without any AWS."""

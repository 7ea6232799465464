"""What a tenant with rights in one namespace tries, against a real API server, the operator and the simulated AWS.

docs/explanation/threat-model.md lists all attacks by number, with what stops each one and the test that tries it; many are in other folders,
beside what they attack. tests/unit/test_attacks.py holds that table and the tests together.
"""

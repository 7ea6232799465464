"""A Slack of the tests' own, on loopback: a few methods of its Web API, checked against Slack's own description of them."""

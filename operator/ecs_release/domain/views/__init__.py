"""What is shown of deployment sets on GitHub and in Slack: documents made of statuses, and how each is created only once.

Begin with `shown`, which is what every document is made of, and `create_once`.
"""

"""Slack: the port `domain.ports.views.ViewSink` on its Web API. Imported only if the operator has a connection to Slack.

Begin with `adapter`. What messages say is in `domain.views.slack`.
"""

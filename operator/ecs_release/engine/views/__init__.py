"""Views: GitHub and Slack show one document for each deployment set, made of statuses; nothing waits for them.

Begin with `views`, then `channel`. What is shown is `domain.views`'s affair, the calls are `github`'s and `slack`'s.
"""

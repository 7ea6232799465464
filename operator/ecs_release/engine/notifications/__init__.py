"""Sending notifications: one bounded queue for each Environment, at least once.

Begin with `notifier`. What is worth a notification is decided in `domain.notifications`.
"""

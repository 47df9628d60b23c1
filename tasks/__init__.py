"""Celery, and nothing else: queues, schedules and limits around what the orchestrator does."""

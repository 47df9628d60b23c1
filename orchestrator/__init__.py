"""The brain of the cluster. It knows PostgreSQL, Consul and SSH, and nothing of Celery or REST."""

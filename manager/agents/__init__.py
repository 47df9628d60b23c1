"""Agents, from the manager's side: how they are installed, authenticated, and told of the members.

``installer`` has the operations of ``cloudify.interfaces.cloudify_agent``; ``tokens`` what an operation on an
agent shows to the REST service; ``following`` tells agents when members have joined or left.
"""

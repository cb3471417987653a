"""The worker process: loads user code and evaluates it for the host."""

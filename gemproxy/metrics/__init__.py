"""What is counted for Prometheus: requests, attempts, repairs, keys."""

"""What rules, matchers and publishers of a StreamAlert repository import."""

"""Names that publishers import from the alert processor."""

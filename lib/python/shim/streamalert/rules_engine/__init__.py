"""Names that rules import from the rules engine."""

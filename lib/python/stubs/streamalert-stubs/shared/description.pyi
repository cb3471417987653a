from typing import Any, Optional

class RuleDescriptionParser:
    @classmethod
    def parse(cls, rule_description: Optional[str]) -> dict[str, list[str]]: ...
    @classmethod
    def present(cls, rule_description: Optional[str]) -> dict[str, Any]: ...

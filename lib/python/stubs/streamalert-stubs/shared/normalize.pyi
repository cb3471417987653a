from collections.abc import Mapping
from typing import Any, ClassVar, Optional

CONST_FUNCTION: str
CONST_PATH: str
CONST_CONDITION: str
CONST_VALUES: str

class Normalizer:
    NORMALIZATION_KEY: str
    RECORD_ID_KEY: str
    @classmethod
    def get_values_for_normalized_type(cls, record: Mapping[str, Any], datatype: str) -> Optional[set[Any]]: ...

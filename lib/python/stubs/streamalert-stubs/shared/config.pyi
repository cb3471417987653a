from collections.abc import Iterable
from typing import Any, Optional

class TopLevelConfigKeys:
    CLUSTERS: str
    GLOBAL: str
    LAMBDA: str
    LOGS: str
    LOOKUP_TABLES: str
    NORMALIZED_TYPES: str
    OUTPUTS: str
    SCHEMAS: str
    THREAT_INTEL: str

def load_config(conf_dir: Optional[str] = None, exclude: Optional[Iterable[str]] = None, include: Optional[Iterable[str]] = None, validate: bool = True) -> dict[str, Any]: ...

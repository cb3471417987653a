from datetime import datetime, timedelta
from typing import Any, ClassVar, Optional

class AlertCreationError(Exception): ...

class Alert:
    DATETIME_FORMAT: str
    rule_name: str
    record: dict[str, Any]
    outputs: set[str]
    alert_id: str
    created: datetime
    attempts: int
    cluster: Optional[str]
    context: dict[str, Any]
    publishers: Any
    dispatched: datetime
    log_source: Optional[str]
    log_type: Optional[str]
    merge_by_keys: list[str]
    merge_window: timedelta
    outputs_sent: set[str]
    rule_description: Optional[str]
    source_entity: Optional[str]
    source_service: Optional[str]
    staged: bool
    def __init__(self, rule_name: str, record: dict[str, Any], outputs: set[str], **kwargs: Any) -> None: ...
    def __lt__(self, other: Alert) -> bool: ...
    def __repr__(self) -> str: ...
    def __str__(self) -> str: ...
    @property
    def dynamo_key(self) -> dict[str, str]: ...
    @property
    def merge_enabled(self) -> Any: ...
    @property
    def remaining_outputs(self) -> set[str]: ...
    def dynamo_record(self) -> dict[str, Any]: ...
    @classmethod
    def create_from_dynamo_record(cls, record: dict[str, Any]) -> Alert: ...
    def output_dict(self) -> dict[str, Any]: ...

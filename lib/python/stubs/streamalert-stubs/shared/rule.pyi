from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, Union

from streamalert.shared.publisher import AlertPublisher

Record = dict[str, Any]
Context = dict[str, Any]
RuleFunction = Union[Callable[[Record], Any], Callable[[Record, Context], Any]]
Matcher = Callable[[Record], Any]
DynamicOutput = Union[
    Callable[[Record], Union[str, Sequence[str], None]],
    Callable[[Record, Context], Union[str, Sequence[str], None]],
]
Publisher = Union[str, type[AlertPublisher], Callable[..., Any]]
Publishers = Union[Publisher, Sequence[Publisher], Mapping[str, Union[Publisher, Sequence[Publisher]]]]
_Target = TypeVar('_Target')

class RuleCreationError(Exception): ...

def rule(
    *,
    logs: Union[list[str], tuple[str, ...]] = ...,
    datatypes: Union[list[str], tuple[str, ...]] = ...,
    matchers: Sequence[Matcher] = ...,
    req_subkeys: Mapping[str, Sequence[str]] = ...,
    outputs: Union[list[str], tuple[str, ...], set[str]] = ...,
    dynamic_outputs: Sequence[DynamicOutput] = ...,
    publishers: Publishers = ...,
    merge_by_keys: Union[list[str], tuple[str, ...]] = ...,
    merge_window_mins: int = ...,
    merge_send_first: bool = ...,
    context: Context = ...,
) -> Callable[[RuleFunction], Rule]: ...
def disable(target: _Target) -> _Target: ...

class Rule:
    DEFAULT_RULE_DESCRIPTION: str
    CHECKSUM_UNKNOWN: str
    func: RuleFunction
    name: str
    logs: Union[Sequence[str], None]
    datatypes: Union[Sequence[str], None]
    matchers: Union[Sequence[Matcher], None]
    req_subkeys: Union[Mapping[str, Sequence[str]], None]
    outputs: Union[Iterable[str], None]
    dynamic_outputs: Union[Sequence[DynamicOutput], None]
    publishers: Union[Publishers, None]
    merge_by_keys: Union[Sequence[str], None]
    merge_window_mins: int
    merge_send_first: Union[bool, None]
    initial_context: Union[Context, None]
    context: Union[Context, None]
    disabled: bool
    def __init__(self, func: RuleFunction, **kwargs: Any) -> None: ...
    def __repr__(self) -> str: ...
    def check_matchers(self, record: Record) -> bool: ...
    def is_staged(self, rule_table: Any) -> bool: ...
    def process(self, record: Record) -> Any: ...
    @property
    def checksum(self) -> str: ...
    @property
    def description(self) -> str: ...
    @description.setter
    def description(self, description: str) -> None: ...
    @property
    def outputs_set(self) -> set[str]: ...
    @property
    def dynamic_outputs_set(self) -> set[DynamicOutput]: ...
    @classmethod
    def disable(cls, name: str) -> None: ...
    @classmethod
    def disabled_rules(cls) -> set[str]: ...
    @classmethod
    def get_rule(cls, rule_name: str) -> Union[Rule, None]: ...
    @classmethod
    def rule_names(cls) -> list[str]: ...
    @classmethod
    def rules_with_datatypes(cls) -> list[Rule]: ...
    @classmethod
    def rules_for_log_type(cls, log_type: str) -> list[Rule]: ...

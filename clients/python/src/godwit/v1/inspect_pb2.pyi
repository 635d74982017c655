from godwit.v1 import queue_pb2 as _queue_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATE_UNSPECIFIED: _ClassVar[State]
    STATE_READY: _ClassVar[State]
    STATE_SCHEDULED: _ClassVar[State]
    STATE_LEASED: _ClassVar[State]
    STATE_COMPLETED: _ClassVar[State]
    STATE_DEAD: _ClassVar[State]
    STATE_CANCELLED: _ClassVar[State]
    STATE_FORWARDED: _ClassVar[State]
STATE_UNSPECIFIED: State
STATE_READY: State
STATE_SCHEDULED: State
STATE_LEASED: State
STATE_COMPLETED: State
STATE_DEAD: State
STATE_CANCELLED: State
STATE_FORWARDED: State

class QueuesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class QueuesResponse(_message.Message):
    __slots__ = ("queues",)
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    queues: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, queues: _Optional[_Iterable[str]] = ...) -> None: ...

class CountsRequest(_message.Message):
    __slots__ = ("queue",)
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    queue: str
    def __init__(self, queue: _Optional[str] = ...) -> None: ...

class CountsResponse(_message.Message):
    __slots__ = ("ready", "scheduled", "leased", "dead", "suspects", "is_paused", "enqueued", "completed", "retried", "released", "rejected", "forwarded", "cancelled", "lost", "redriven", "pruned")
    READY_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    LEASED_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    SUSPECTS_FIELD_NUMBER: _ClassVar[int]
    IS_PAUSED_FIELD_NUMBER: _ClassVar[int]
    ENQUEUED_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    RETRIED_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    FORWARDED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    REDRIVEN_FIELD_NUMBER: _ClassVar[int]
    PRUNED_FIELD_NUMBER: _ClassVar[int]
    ready: int
    scheduled: int
    leased: int
    dead: int
    suspects: int
    is_paused: bool
    enqueued: int
    completed: int
    retried: int
    released: int
    rejected: int
    forwarded: int
    cancelled: int
    lost: int
    redriven: int
    pruned: int
    def __init__(self, ready: _Optional[int] = ..., scheduled: _Optional[int] = ..., leased: _Optional[int] = ..., dead: _Optional[int] = ..., suspects: _Optional[int] = ..., is_paused: _Optional[bool] = ..., enqueued: _Optional[int] = ..., completed: _Optional[int] = ..., retried: _Optional[int] = ..., released: _Optional[int] = ..., rejected: _Optional[int] = ..., forwarded: _Optional[int] = ..., cancelled: _Optional[int] = ..., lost: _Optional[int] = ..., redriven: _Optional[int] = ..., pruned: _Optional[int] = ...) -> None: ...

class KindsRequest(_message.Message):
    __slots__ = ("queue",)
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    queue: str
    def __init__(self, queue: _Optional[str] = ...) -> None: ...

class KindsResponse(_message.Message):
    __slots__ = ("kinds",)
    KINDS_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedCompositeFieldContainer[KindCount]
    def __init__(self, kinds: _Optional[_Iterable[_Union[KindCount, _Mapping]]] = ...) -> None: ...

class KindCount(_message.Message):
    __slots__ = ("kind", "hash", "ready", "oldest_ready_at_ms")
    KIND_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    OLDEST_READY_AT_MS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    hash: int
    ready: int
    oldest_ready_at_ms: int
    def __init__(self, kind: _Optional[str] = ..., hash: _Optional[int] = ..., ready: _Optional[int] = ..., oldest_ready_at_ms: _Optional[int] = ...) -> None: ...

class GetMessageRequest(_message.Message):
    __slots__ = ("queue", "id")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    queue: str
    id: bytes
    def __init__(self, queue: _Optional[str] = ..., id: _Optional[bytes] = ...) -> None: ...

class GetMessageResponse(_message.Message):
    __slots__ = ("record",)
    RECORD_FIELD_NUMBER: _ClassVar[int]
    record: Record
    def __init__(self, record: _Optional[_Union[Record, _Mapping]] = ...) -> None: ...

class FindRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    def __init__(self, id: _Optional[bytes] = ...) -> None: ...

class FindResponse(_message.Message):
    __slots__ = ("found",)
    FOUND_FIELD_NUMBER: _ClassVar[int]
    found: FoundRecord
    def __init__(self, found: _Optional[_Union[FoundRecord, _Mapping]] = ...) -> None: ...

class FoundRecord(_message.Message):
    __slots__ = ("queue", "record")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    queue: str
    record: Record
    def __init__(self, queue: _Optional[str] = ..., record: _Optional[_Union[Record, _Mapping]] = ...) -> None: ...

class Record(_message.Message):
    __slots__ = ("state", "entry", "message", "count", "executed_at_ms", "finished_at_ms", "due_at_ms", "lease_deadline_ms", "worker", "unique_key", "reason", "verdict", "checkpoint", "attempts", "body", "kind")
    STATE_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    EXECUTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_MS_FIELD_NUMBER: _ClassVar[int]
    LEASE_DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_KEY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    state: State
    entry: bytes
    message: _queue_pb2.Message
    count: int
    executed_at_ms: int
    finished_at_ms: int
    due_at_ms: int
    lease_deadline_ms: int
    worker: int
    unique_key: str
    reason: str
    verdict: str
    checkpoint: bytes
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    body: bytes
    kind: str
    def __init__(self, state: _Optional[_Union[State, str]] = ..., entry: _Optional[bytes] = ..., message: _Optional[_Union[_queue_pb2.Message, _Mapping]] = ..., count: _Optional[int] = ..., executed_at_ms: _Optional[int] = ..., finished_at_ms: _Optional[int] = ..., due_at_ms: _Optional[int] = ..., lease_deadline_ms: _Optional[int] = ..., worker: _Optional[int] = ..., unique_key: _Optional[str] = ..., reason: _Optional[str] = ..., verdict: _Optional[str] = ..., checkpoint: _Optional[bytes] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., body: _Optional[bytes] = ..., kind: _Optional[str] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("at_ms", "worker", "count", "verdict", "reason")
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    at_ms: int
    worker: int
    count: int
    verdict: str
    reason: str
    def __init__(self, at_ms: _Optional[int] = ..., worker: _Optional[int] = ..., count: _Optional[int] = ..., verdict: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class MessagesRequest(_message.Message):
    __slots__ = ("queue", "state", "cursor", "limit")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    queue: str
    state: State
    cursor: str
    limit: int
    def __init__(self, queue: _Optional[str] = ..., state: _Optional[_Union[State, str]] = ..., cursor: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class MessagesResponse(_message.Message):
    __slots__ = ("records", "next")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[Record]
    next: str
    def __init__(self, records: _Optional[_Iterable[_Union[Record, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class SearchRequest(_message.Message):
    __slots__ = ("query", "cursor", "now_ms", "upper_id", "messages", "records", "time_ms")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    NOW_MS_FIELD_NUMBER: _ClassVar[int]
    UPPER_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    query: str
    cursor: str
    now_ms: int
    upper_id: bytes
    messages: int
    records: int
    time_ms: int
    def __init__(self, query: _Optional[str] = ..., cursor: _Optional[str] = ..., now_ms: _Optional[int] = ..., upper_id: _Optional[bytes] = ..., messages: _Optional[int] = ..., records: _Optional[int] = ..., time_ms: _Optional[int] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("found", "scanned", "next")
    FOUND_FIELD_NUMBER: _ClassVar[int]
    SCANNED_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    found: _containers.RepeatedCompositeFieldContainer[FoundRecord]
    scanned: int
    next: str
    def __init__(self, found: _Optional[_Iterable[_Union[FoundRecord, _Mapping]]] = ..., scanned: _Optional[int] = ..., next: _Optional[str] = ...) -> None: ...

class SettingsRequest(_message.Message):
    __slots__ = ("queue",)
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    queue: str
    def __init__(self, queue: _Optional[str] = ...) -> None: ...

class QueueSettings(_message.Message):
    __slots__ = ("keep_ms", "keep_records", "keep_dead_ms", "keep_dead", "max_messages", "max_leased", "tracks_leases", "records_events")
    KEEP_MS_FIELD_NUMBER: _ClassVar[int]
    KEEP_RECORDS_FIELD_NUMBER: _ClassVar[int]
    KEEP_DEAD_MS_FIELD_NUMBER: _ClassVar[int]
    KEEP_DEAD_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    MAX_LEASED_FIELD_NUMBER: _ClassVar[int]
    TRACKS_LEASES_FIELD_NUMBER: _ClassVar[int]
    RECORDS_EVENTS_FIELD_NUMBER: _ClassVar[int]
    keep_ms: int
    keep_records: int
    keep_dead_ms: int
    keep_dead: int
    max_messages: int
    max_leased: int
    tracks_leases: bool
    records_events: bool
    def __init__(self, keep_ms: _Optional[int] = ..., keep_records: _Optional[int] = ..., keep_dead_ms: _Optional[int] = ..., keep_dead: _Optional[int] = ..., max_messages: _Optional[int] = ..., max_leased: _Optional[int] = ..., tracks_leases: _Optional[bool] = ..., records_events: _Optional[bool] = ...) -> None: ...

class CheckRequest(_message.Message):
    __slots__ = ("queue", "limit")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    queue: str
    limit: int
    def __init__(self, queue: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class CheckResponse(_message.Message):
    __slots__ = ("sentences",)
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    sentences: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, sentences: _Optional[_Iterable[str]] = ...) -> None: ...

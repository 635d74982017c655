from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_DONE: _ClassVar[Outcome]
    OUTCOME_STALE: _ClassVar[Outcome]
    OUTCOME_TARGET_BUSY: _ClassVar[Outcome]
    OUTCOME_UNKNOWN: _ClassVar[Outcome]
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_DONE: Outcome
OUTCOME_STALE: Outcome
OUTCOME_TARGET_BUSY: Outcome
OUTCOME_UNKNOWN: Outcome

class EnqueueRequest(_message.Message):
    __slots__ = ("queue", "messages")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    queue: str
    messages: _containers.RepeatedCompositeFieldContainer[NewMessage]
    def __init__(self, queue: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[NewMessage, _Mapping]]] = ...) -> None: ...

class NewMessage(_message.Message):
    __slots__ = ("id", "kind", "content", "body", "priority", "max_attempts", "unique_key", "delay_ms", "at_ms", "is_resend")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_KEY_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    IS_RESEND_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    kind: str
    content: Content
    body: bytes
    priority: int
    max_attempts: int
    unique_key: str
    delay_ms: int
    at_ms: int
    is_resend: bool
    def __init__(self, id: _Optional[bytes] = ..., kind: _Optional[str] = ..., content: _Optional[_Union[Content, _Mapping]] = ..., body: _Optional[bytes] = ..., priority: _Optional[int] = ..., max_attempts: _Optional[int] = ..., unique_key: _Optional[str] = ..., delay_ms: _Optional[int] = ..., at_ms: _Optional[int] = ..., is_resend: _Optional[bool] = ...) -> None: ...

class Content(_message.Message):
    __slots__ = ("content_type", "headers", "payload")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    content_type: str
    headers: _containers.ScalarMap[str, str]
    payload: bytes
    def __init__(self, content_type: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ..., payload: _Optional[bytes] = ...) -> None: ...

class EnqueueResponse(_message.Message):
    __slots__ = ("outcomes",)
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[EnqueueOutcome]
    def __init__(self, outcomes: _Optional[_Iterable[_Union[EnqueueOutcome, _Mapping]]] = ...) -> None: ...

class EnqueueOutcome(_message.Message):
    __slots__ = ("result", "id", "duplicate_of")
    class Result(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        RESULT_UNSPECIFIED: _ClassVar[EnqueueOutcome.Result]
        RESULT_ENQUEUED: _ClassVar[EnqueueOutcome.Result]
        RESULT_KNOWN: _ClassVar[EnqueueOutcome.Result]
        RESULT_UNKNOWN: _ClassVar[EnqueueOutcome.Result]
        RESULT_DUPLICATE: _ClassVar[EnqueueOutcome.Result]
        RESULT_FULL: _ClassVar[EnqueueOutcome.Result]
    RESULT_UNSPECIFIED: EnqueueOutcome.Result
    RESULT_ENQUEUED: EnqueueOutcome.Result
    RESULT_KNOWN: EnqueueOutcome.Result
    RESULT_UNKNOWN: EnqueueOutcome.Result
    RESULT_DUPLICATE: EnqueueOutcome.Result
    RESULT_FULL: EnqueueOutcome.Result
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_OF_FIELD_NUMBER: _ClassVar[int]
    result: EnqueueOutcome.Result
    id: bytes
    duplicate_of: bytes
    def __init__(self, result: _Optional[_Union[EnqueueOutcome.Result, str]] = ..., id: _Optional[bytes] = ..., duplicate_of: _Optional[bytes] = ...) -> None: ...

class ReserveRequest(_message.Message):
    __slots__ = ("queue", "count", "lease_ms", "kinds", "bytes", "free_slots", "takes_suspects", "worker", "wait_ms", "raw")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    FREE_SLOTS_FIELD_NUMBER: _ClassVar[int]
    TAKES_SUSPECTS_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    queue: str
    count: int
    lease_ms: int
    kinds: Kinds
    bytes: int
    free_slots: int
    takes_suspects: bool
    worker: int
    wait_ms: int
    raw: bool
    def __init__(self, queue: _Optional[str] = ..., count: _Optional[int] = ..., lease_ms: _Optional[int] = ..., kinds: _Optional[_Union[Kinds, _Mapping]] = ..., bytes: _Optional[int] = ..., free_slots: _Optional[int] = ..., takes_suspects: _Optional[bool] = ..., worker: _Optional[int] = ..., wait_ms: _Optional[int] = ..., raw: _Optional[bool] = ...) -> None: ...

class Kinds(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class ReserveResponse(_message.Message):
    __slots__ = ("deliveries", "now_ms", "deadline_ms", "suspects_waiting", "next_due_ms")
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    NOW_MS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    SUSPECTS_WAITING_FIELD_NUMBER: _ClassVar[int]
    NEXT_DUE_MS_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    now_ms: int
    deadline_ms: int
    suspects_waiting: int
    next_due_ms: int
    def __init__(self, deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ..., now_ms: _Optional[int] = ..., deadline_ms: _Optional[int] = ..., suspects_waiting: _Optional[int] = ..., next_due_ms: _Optional[int] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("token", "message", "body", "checkpoint")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    token: bytes
    message: Message
    body: bytes
    checkpoint: bytes
    def __init__(self, token: _Optional[bytes] = ..., message: _Optional[_Union[Message, _Mapping]] = ..., body: _Optional[bytes] = ..., checkpoint: _Optional[bytes] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("id", "kind", "content", "attempt", "max_attempts", "count", "lost", "priority", "inserted_at_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    INSERTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    kind: str
    content: Content
    attempt: int
    max_attempts: int
    count: int
    lost: int
    priority: int
    inserted_at_ms: int
    def __init__(self, id: _Optional[bytes] = ..., kind: _Optional[str] = ..., content: _Optional[_Union[Content, _Mapping]] = ..., attempt: _Optional[int] = ..., max_attempts: _Optional[int] = ..., count: _Optional[int] = ..., lost: _Optional[int] = ..., priority: _Optional[int] = ..., inserted_at_ms: _Optional[int] = ...) -> None: ...

class Settlement(_message.Message):
    __slots__ = ("token", "verdict")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    token: bytes
    verdict: Verdict
    def __init__(self, token: _Optional[bytes] = ..., verdict: _Optional[_Union[Verdict, _Mapping]] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("ack", "retry", "reject", "release", "forward")
    ACK_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    REJECT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    FORWARD_FIELD_NUMBER: _ClassVar[int]
    ack: Ack
    retry: Retry
    reject: Reject
    release: Release
    forward: Forward
    def __init__(self, ack: _Optional[_Union[Ack, _Mapping]] = ..., retry: _Optional[_Union[Retry, _Mapping]] = ..., reject: _Optional[_Union[Reject, _Mapping]] = ..., release: _Optional[_Union[Release, _Mapping]] = ..., forward: _Optional[_Union[Forward, _Mapping]] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Retry(_message.Message):
    __slots__ = ("after_ms", "reason")
    AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    after_ms: int
    reason: str
    def __init__(self, after_ms: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Reject(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Forward(_message.Message):
    __slots__ = ("queue",)
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    queue: str
    def __init__(self, queue: _Optional[str] = ...) -> None: ...

class SettleRequest(_message.Message):
    __slots__ = ("queue", "settlements")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENTS_FIELD_NUMBER: _ClassVar[int]
    queue: str
    settlements: _containers.RepeatedCompositeFieldContainer[Settlement]
    def __init__(self, queue: _Optional[str] = ..., settlements: _Optional[_Iterable[_Union[Settlement, _Mapping]]] = ...) -> None: ...

class RenewRequest(_message.Message):
    __slots__ = ("queue", "tokens", "lease_ms")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    queue: str
    tokens: _containers.RepeatedScalarFieldContainer[bytes]
    lease_ms: int
    def __init__(self, queue: _Optional[str] = ..., tokens: _Optional[_Iterable[bytes]] = ..., lease_ms: _Optional[int] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("token", "bytes")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    token: bytes
    bytes: bytes
    def __init__(self, token: _Optional[bytes] = ..., bytes: _Optional[bytes] = ...) -> None: ...

class CheckpointRequest(_message.Message):
    __slots__ = ("queue", "checkpoints")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    queue: str
    checkpoints: _containers.RepeatedCompositeFieldContainer[Progress]
    def __init__(self, queue: _Optional[str] = ..., checkpoints: _Optional[_Iterable[_Union[Progress, _Mapping]]] = ...) -> None: ...

class OutcomesResponse(_message.Message):
    __slots__ = ("outcomes",)
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedScalarFieldContainer[Outcome]
    def __init__(self, outcomes: _Optional[_Iterable[_Union[Outcome, str]]] = ...) -> None: ...

class SettleThenReserveRequest(_message.Message):
    __slots__ = ("settlements", "reserve")
    SETTLEMENTS_FIELD_NUMBER: _ClassVar[int]
    RESERVE_FIELD_NUMBER: _ClassVar[int]
    settlements: _containers.RepeatedCompositeFieldContainer[Settlement]
    reserve: ReserveRequest
    def __init__(self, settlements: _Optional[_Iterable[_Union[Settlement, _Mapping]]] = ..., reserve: _Optional[_Union[ReserveRequest, _Mapping]] = ...) -> None: ...

class SettleThenReserveResponse(_message.Message):
    __slots__ = ("outcomes", "reserved", "settle_failure", "reserve_failure")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    SETTLE_FAILURE_FIELD_NUMBER: _ClassVar[int]
    RESERVE_FAILURE_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedScalarFieldContainer[Outcome]
    reserved: ReserveResponse
    settle_failure: Failure
    reserve_failure: Failure
    def __init__(self, outcomes: _Optional[_Iterable[_Union[Outcome, str]]] = ..., reserved: _Optional[_Union[ReserveResponse, _Mapping]] = ..., settle_failure: _Optional[_Union[Failure, _Mapping]] = ..., reserve_failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class WaitRequest(_message.Message):
    __slots__ = ("queue", "kinds", "timeout_ms")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    queue: str
    kinds: Kinds
    timeout_ms: int
    def __init__(self, queue: _Optional[str] = ..., kinds: _Optional[_Union[Kinds, _Mapping]] = ..., timeout_ms: _Optional[int] = ...) -> None: ...

class WaitResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PromoteRequest(_message.Message):
    __slots__ = ("queue",)
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    queue: str
    def __init__(self, queue: _Optional[str] = ...) -> None: ...

class ReclaimRequest(_message.Message):
    __slots__ = ("queue", "limit")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    queue: str
    limit: int
    def __init__(self, queue: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ReclaimResponse(_message.Message):
    __slots__ = ("ready", "dead")
    READY_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    ready: int
    dead: int
    def __init__(self, ready: _Optional[int] = ..., dead: _Optional[int] = ...) -> None: ...

class PruneRequest(_message.Message):
    __slots__ = ("queue", "limit")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    queue: str
    limit: int
    def __init__(self, queue: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class CountResponse(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class WorkRequest(_message.Message):
    __slots__ = ("open", "credits", "settlements", "renewals", "checkpoints", "stop")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENTS_FIELD_NUMBER: _ClassVar[int]
    RENEWALS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    open: WorkOpen
    credits: int
    settlements: _containers.RepeatedCompositeFieldContainer[Settlement]
    renewals: _containers.RepeatedScalarFieldContainer[bytes]
    checkpoints: _containers.RepeatedCompositeFieldContainer[Progress]
    stop: bool
    def __init__(self, open: _Optional[_Union[WorkOpen, _Mapping]] = ..., credits: _Optional[int] = ..., settlements: _Optional[_Iterable[_Union[Settlement, _Mapping]]] = ..., renewals: _Optional[_Iterable[bytes]] = ..., checkpoints: _Optional[_Iterable[_Union[Progress, _Mapping]]] = ..., stop: _Optional[bool] = ...) -> None: ...

class WorkOpen(_message.Message):
    __slots__ = ("queue", "kinds", "lease_ms", "worker", "raw")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    queue: str
    kinds: Kinds
    lease_ms: int
    worker: int
    raw: bool
    def __init__(self, queue: _Optional[str] = ..., kinds: _Optional[_Union[Kinds, _Mapping]] = ..., lease_ms: _Optional[int] = ..., worker: _Optional[int] = ..., raw: _Optional[bool] = ...) -> None: ...

class WorkResponse(_message.Message):
    __slots__ = ("deliveries", "now_ms", "deadline_ms", "settled", "renewed", "kept", "failure", "closing")
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    NOW_MS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    RENEWED_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    CLOSING_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    now_ms: int
    deadline_ms: int
    settled: _containers.RepeatedScalarFieldContainer[Outcome]
    renewed: _containers.RepeatedScalarFieldContainer[Outcome]
    kept: _containers.RepeatedScalarFieldContainer[Outcome]
    failure: Failure
    closing: bool
    def __init__(self, deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ..., now_ms: _Optional[int] = ..., deadline_ms: _Optional[int] = ..., settled: _Optional[_Iterable[_Union[Outcome, str]]] = ..., renewed: _Optional[_Iterable[_Union[Outcome, str]]] = ..., kept: _Optional[_Iterable[_Union[Outcome, str]]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., closing: _Optional[bool] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("reason", "what", "location", "cause", "advice")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[Failure.Reason]
        REASON_UNAVAILABLE: _ClassVar[Failure.Reason]
        REASON_UNKNOWN: _ClassVar[Failure.Reason]
        REASON_STORAGE_FULL: _ClassVar[Failure.Reason]
        REASON_MISCONFIGURED: _ClassVar[Failure.Reason]
        REASON_INVALID: _ClassVar[Failure.Reason]
        REASON_CORRUPT: _ClassVar[Failure.Reason]
    REASON_UNSPECIFIED: Failure.Reason
    REASON_UNAVAILABLE: Failure.Reason
    REASON_UNKNOWN: Failure.Reason
    REASON_STORAGE_FULL: Failure.Reason
    REASON_MISCONFIGURED: Failure.Reason
    REASON_INVALID: Failure.Reason
    REASON_CORRUPT: Failure.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    reason: Failure.Reason
    what: str
    location: str
    cause: str
    advice: str
    def __init__(self, reason: _Optional[_Union[Failure.Reason, str]] = ..., what: _Optional[str] = ..., location: _Optional[str] = ..., cause: _Optional[str] = ..., advice: _Optional[str] = ...) -> None: ...

from godwit.v1 import queue_pb2 as _queue_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HandleRequest(_message.Message):
    __slots__ = ("queue", "message", "checkpoint")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    queue: str
    message: _queue_pb2.Message
    checkpoint: bytes
    def __init__(self, queue: _Optional[str] = ..., message: _Optional[_Union[_queue_pb2.Message, _Mapping]] = ..., checkpoint: _Optional[bytes] = ...) -> None: ...

class HandleResponse(_message.Message):
    __slots__ = ("verdict",)
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    verdict: _queue_pb2.Verdict
    def __init__(self, verdict: _Optional[_Union[_queue_pb2.Verdict, _Mapping]] = ...) -> None: ...

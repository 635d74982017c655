# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone

import pytest
from double import Double

import godwit
from godwit import Client, Duplicate, Enqueued, Full, Known, NewMessage


def only(double: Double, queue: str = "mail"):  # type: ignore[no-untyped-def]
    (kept,) = double.memory.queues[queue].values()
    return kept


def test_a_message_arrives_as_it_was_given(client: Client, double: Double) -> None:
    outcome = client.enqueue(
        "mail", "mail.welcome", {"name": "Åse"}, headers={"tenant": "a"}, priority=0,
        max_attempts=3, unique_key="k", delay=timedelta(seconds=60),
    )  # fmt: skip
    assert isinstance(outcome, Enqueued)
    new = only(double).new
    assert new.id == outcome.id.bytes and outcome.id.version == 7
    assert new.content.content_type == "application/json"
    assert new.content.payload == '{"name":"Åse"}'.encode()
    assert dict(new.content.headers) == {"tenant": "a"}
    assert (new.priority, new.max_attempts, new.unique_key) == (0, 3, "k")
    assert new.HasField("priority"), "0 is a priority, not left out"
    assert new.delay_ms == 60_000 and only(double).state == "scheduled"
    assert not new.is_resend


def test_bytes_go_as_they_are(client: Client, double: Double) -> None:
    client.enqueue("mail", "k", b"\x00\xff")
    content = only(double).new.content
    assert (content.content_type, content.payload) == ("application/octet-stream", b"\x00\xff")


def test_a_moment_needs_a_time_zone(client: Client, double: Double) -> None:
    client.enqueue("mail", "k", at=datetime(2100, 1, 1, tzinfo=timezone.utc))
    assert only(double).new.at_ms == 4_102_444_800_000
    with pytest.raises(ValueError, match="time zone"):
        client.enqueue("mail", "k", at=datetime(2100, 1, 1))


def test_a_lost_answer_is_asked_for_again_and_makes_no_second_message(
    client: Client, double: Double
) -> None:
    double.faults.lose_enqueue_answers = 2
    outcome = client.enqueue("mail", "k", 1)
    assert isinstance(outcome, Known)
    assert len(double.memory.queues["mail"]) == 1
    assert [it.messages[0].is_resend for it in double.seen.enqueues] == [False, True, True]


def test_a_server_that_is_away_for_a_while_is_waited_for(client: Client, double: Double) -> None:
    double.faults.refuse_enqueues = 3
    assert isinstance(client.enqueue("mail", "k", 1), Enqueued)


def test_an_answer_that_never_comes_is_uncertain_and_says_the_id(double: Double) -> None:
    with Client(double.target, timeout=0.5) as client:
        double.faults.lose_enqueue_answers = 1000
        message = NewMessage("k", 1)
        with pytest.raises(godwit.Uncertain) as caught:
            client.enqueue_many("mail", [message])
        assert caught.value.ids == (message.id,)
        double.faults.lose_enqueue_answers = 0
        double.seen.enqueues.clear()
        assert client.enqueue_many("mail", [message]) == [Known(message.id)]
        assert double.seen.enqueues[0].messages[0].is_resend
    assert len(double.memory.queues["mail"]) == 1


def test_nobody_there_is_unavailable_and_nothing_happened() -> None:
    with Client("127.0.0.1:1", timeout=0.2) as client:
        with pytest.raises(godwit.Unavailable):
            client.enqueue("mail", "k")


def test_outcomes_are_typed(client: Client, double: Double) -> None:
    first = client.enqueue("mail", "k", 1, unique_key="a")
    assert client.enqueue("mail", "k", 1, id=first.id) == Known(first.id)
    again = client.enqueue("mail", "k", 1, unique_key="a")
    assert isinstance(again, Duplicate) and again.of == first.id
    double.memory.full.add("mail")
    with pytest.raises(godwit.QueueFull) as caught:
        client.enqueue("mail", "k", 1)
    assert len(caught.value.ids) == 1
    (outcome,) = client.enqueue_many("mail", [NewMessage("k")])
    assert isinstance(outcome, Full)


def test_many_messages_go_in_calls_of_a_bounded_size(client: Client, double: Double) -> None:
    messages = [NewMessage("k", b"x" * 1000) for _ in range(2500)]
    outcomes = client.enqueue_many("mail", messages)
    assert outcomes == [Enqueued(it.id) for it in messages]
    assert len(double.seen.enqueues) == 3
    double.seen.enqueues.clear()
    client.enqueue_many("mail", [NewMessage("k", b"x" * 900_000) for _ in range(3)])
    assert [len(it.messages) for it in double.seen.enqueues] == [1, 1, 1]
    assert client.enqueue_many("mail", []) == []


def test_a_refusal_says_what_where_why_and_what_to_do(client: Client) -> None:
    with pytest.raises(godwit.Invalid) as caught:
        client.enqueue("MAIL", "k")
    error = caught.value
    assert (error.what, error.location, error.cause, error.advice) == (
        "enqueue to ‘mail’", "memory", "not a name: ä", "Try 100% again.",
    )  # fmt: skip


def test_a_payload_that_is_too_large_is_refused_before_it_is_sent(
    client: Client, double: Double
) -> None:
    with pytest.raises(godwit.Invalid, match="1048577 bytes"):
        client.enqueue("mail", "k", b"x" * ((1 << 20) + 1))
    assert double.seen.enqueues == []


def test_a_wrong_token_is_unauthenticated() -> None:
    double = Double(token="right")
    try:
        with Client(double.target, token="wrong") as client:
            with pytest.raises(godwit.Unauthenticated):
                client.enqueue("mail", "k")
        with Client(f"grpc://{double.target}", token="right") as client:
            client.enqueue("mail", "k")
    finally:
        double.close()


def test_ids_are_of_version_7_and_rise() -> None:
    ids = [godwit.new_id() for _ in range(20_000)]
    assert ids == sorted(ids) and len(set(ids)) == len(ids)
    assert all(it.version == 7 and it.variant == uuid.RFC_4122 for it in ids)


def test_other_machines_are_spoken_to_with_tls_only() -> None:
    from godwit._client import _is_loopback

    assert all(map(_is_loopback, ("127.0.0.1:1", "localhost:1", "[::1]:1", "127.9.0.1:1")))
    assert not any(map(_is_loopback, ("10.0.0.1:1", "localhost.example.com:1", "example.com:443")))


def test_a_target_is_a_host_and_a_port() -> None:
    for given, target in (
        ("localhost", "localhost:50051"), ("grpc://127.0.0.1", "127.0.0.1:50051"),
        ("grpc://[::1]/", "[::1]:50051"), ("[::1]:1", "[::1]:1"), ("grpcs://a.example:443", "a.example:443"),
    ):  # fmt: skip
        with Client(given) as client:
            assert client.target == target
    for given in ("http://localhost:1", "grpc://u:p@localhost:1", "grpc://localhost:1?token=x"):
        with pytest.raises(ValueError) as caught:
            Client(given)
        assert "u:p" not in str(caught.value) or given.startswith("http")

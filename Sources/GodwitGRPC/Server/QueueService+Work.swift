// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitProtos
import GRPCCore

extension QueueService {
    func work(
        request: StreamingServerRequest<Godwit_V1_WorkRequest>, context: ServerContext
    ) async throws -> StreamingServerResponse<Godwit_V1_WorkResponse> {
        // Why here: the caller is known only while this method runs, not while the answer is written.
        guard let caller = Caller.current else { throw Caller.denial }
        let messages = request.messages
        return StreamingServerResponse { writer in
            let entrance = StreamEntrance<WorkFloor.Seat>()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await read(messages, caller, entrance) }
                defer { tasks.cancelAll() }
                guard let opened = try await entrance.opened() else { return }
                try await opened.desk.run(opened.room, writer)
            }
            return [:]
        }
    }

    /// Reads until the client closes its half, or the connection breaks.
    private func read(
        _ messages: RPCAsyncSequence<Godwit_V1_WorkRequest, any Error>, _ caller: Caller,
        _ entrance: StreamEntrance<WorkFloor.Seat>
    ) async {
        var opened: WorkFloor.Seat?
        // Nothing is handed out any more once nothing is read.
        defer { if let opened { floor.leave(opened) } }
        do {
            for try await message in messages {
                do {
                    if let opened {
                        guard !message.hasOpen else {
                            throw WireError(
                                "work in '\(opened.queue)'", "the stream was opened twice",
                                "Open another stream for another queue.")
                        }
                        await opened.desk.take(try WorkInput(message, in: opened.queue, caller))
                    } else {
                        let new = try open(message, caller)
                        opened = new
                        entrance.open(new)
                        await new.desk.take(try WorkInput(message, in: new.queue, caller))
                    }
                } catch {
                    let refusal = RPCError(refusing: error)
                    guard let opened else { return entrance.end(with: refusal) }
                    return opened.desk.refuse(refusal)
                }
            }
            guard let opened else { return entrance.end(with: nil) }
            opened.desk.endInput()
        } catch {
            guard let opened else { return entrance.end(with: nil) }
            opened.desk.breakOff()
        }
    }

    private func open(
        _ message: Godwit_V1_WorkRequest, _ caller: Caller
    ) throws -> WorkFloor.Seat {
        guard message.hasOpen else {
            throw WireError(
                "open a Work stream", "its first message has no `open`",
                "Send `open` with the queue first.")
        }
        let open = message.open
        let (_, queue) = try Caller.$current.withValue(caller) {
            try Caller.allowed(.work, on: open.queue)
        }
        let lease = Duration(wireLease: open.leaseMs)
        guard lease >= .milliseconds(100), lease <= WireLimits.longestLease else {
            throw WireError(
                "work in '\(queue)'", "lease_ms is \(open.leaseMs)",
                "Use 100 to \(WireLimits.longestLease.milliseconds), or 0 for 30,000.")
        }
        let kinds = open.hasKinds ? try open.kinds.kinds() : nil
        let session = WorkSession(
            WorkSession.Terms(
                kinds: kinds, lease: lease, worker: open.worker, limit: limits.credits,
                batch: broker.limits.batch))
        let desk = WorkDesk(
            session, on: broker, queue: queue, lease: lease, isRaw: open.raw, mask: caller.mask,
            grace: limits.grace)
        return floor.join(desk, queue: queue, kinds: kinds, lease: lease, broker: broker)
    }
}

extension WireLimits {
    /// The longest lease of a Work stream.
    package static let longestLease = Duration.seconds(24 * 3600)
}

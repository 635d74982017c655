// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitProtos
import GRPCCore

extension StreamsService {
    func workLanes(
        request: StreamingServerRequest<Godwit_V1_WorkLanesRequest>, context: ServerContext
    ) async throws -> StreamingServerResponse<Godwit_V1_WorkLanesResponse> {
        // Why here: the caller is known only while this method runs, not while the answer is written.
        guard let caller = Caller.current else { throw Caller.denial }
        let streams = try streams()
        let messages = request.messages
        return StreamingServerResponse { writer in
            let entrance = StreamEntrance<LaneDesk>()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await read(messages, caller, streams, entrance) }
                defer { tasks.cancelAll() }
                guard let desk = try await entrance.opened() else { return }
                tasks.addTask { await desk.runUpkeep() }
                tasks.addTask {
                    await closing.wait()
                    desk.tell { $0.close() }
                    await broker.time.sleep(for: limits.grace)
                    guard !Task.isCancelled else { return }
                    desk.refuse(RPCError(code: .unavailable, message: "the server has ended"))
                }
                try await desk.run(writer)
            }
            return [:]
        }
    }

    private func read(
        _ messages: RPCAsyncSequence<Godwit_V1_WorkLanesRequest, any Error>, _ caller: Caller,
        _ streams: any StreamBroker, _ entrance: StreamEntrance<LaneDesk>
    ) async {
        var opened: (desk: LaneDesk, stream: QueueName)?
        do {
            for try await message in messages {
                do {
                    if opened == nil {
                        let new = try open(message, caller, streams)
                        opened = new
                        entrance.open(new.desk)
                    } else if message.hasOpen {
                        throw WireError(
                            "work in a stream", "it was opened twice",
                            "Open another stream for another one.")
                    }
                    guard let opened else { return }
                    try await take(message, caller, opened.desk, opened.stream)
                } catch {
                    let refusal = RPCError(refusing: error)
                    guard let opened else { return entrance.end(with: refusal) }
                    return opened.desk.refuse(refusal)
                }
            }
            guard let opened else { return entrance.end(with: nil) }
            opened.desk.tell { $0.endInput() }
        } catch {
            guard let opened else { return entrance.end(with: nil) }
            opened.desk.tell { $0.breakOff() }
        }
    }

    private func take(
        _ message: Godwit_V1_WorkLanesRequest, _ caller: Caller, _ desk: LaneDesk,
        _ stream: QueueName
    ) async throws {
        guard message.settlements.count <= WireLimits.entries,
            message.renewals.count <= WireLimits.entries
        else {
            throw WireError(
                "work in '\(stream)'", "a message has more than \(WireLimits.entries) entries",
                "Send several messages.")
        }
        let settlements = try settlements(message.settlements, caller, stream)
        for settlement in settlements where settlement.windowCount > StreamLimits.window {
            throw WireError(
                "commit in '\(stream)'", "a window of \(settlement.windowCount) points",
                "Keep at most \(StreamLimits.window).")
        }
        await desk.take { session in
            for settlement in settlements { session.settle(settlement) }
            for token in message.renewals {
                session.renew(caller.mask.known(LaneToken(token), in: stream))
            }
            session.give(message.credits)
            if message.stop { session.stop() }
        }
    }

    private func open(
        _ message: Godwit_V1_WorkLanesRequest, _ caller: Caller, _ streams: any StreamBroker
    ) throws -> (desk: LaneDesk, stream: QueueName) {
        guard message.hasOpen else {
            throw WireError(
                "open a WorkLanes stream", "its first message has no `open`",
                "Send `open` with the stream first.")
        }
        let open = message.open
        let (_, stream) = try Caller.$current.withValue(caller) {
            try Caller.allowed(.work, on: open.stream)
        }
        var terms = LaneSession.Terms()
        terms.lease = Duration(wireLease: open.leaseMs)
        guard terms.lease >= .milliseconds(100), terms.lease <= WireLimits.longestLease else {
            throw WireError(
                "work in '\(stream)'", "lease_ms is \(open.leaseMs)",
                "Use 100 to \(WireLimits.longestLease.milliseconds), or 0 for 30,000.")
        }
        guard open.window <= StreamLimits.window else {
            throw WireError(
                "work in '\(stream)'", "a window of \(open.window) points",
                "Keep at most \(StreamLimits.window).")
        }
        terms.window = Int(open.window)
        if open.points > 0 { terms.points = min(Int(open.points), StreamLimits.pointsPerLane) }
        if open.windowBytes > 0 {
            terms.windowBytes = min(Int(wire: open.windowBytes), WireLimits.answeredBytes)
        }
        terms.worker = open.worker
        terms.limit = limits.credits
        return (LaneDesk(terms, on: streams, stream: stream, mask: caller.mask), stream)
    }
}

// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Foundation
import Godwit
import GodwitTesting
import Synchronization

/// A queue of SQS in memory, on a clock that tests move, behind the JSON protocol: with faults in line
/// and a record of who asked for what.
final class FakeSQS: Sendable {
    struct Message {
        var id: String
        var body: String
        var attributes: [String: String] = [:]
        var visibleAt: Timestamp
        var count = 0
        var receipt: String?
        var receivedAt: Timestamp?
    }

    /// What a call meets instead of an answer.
    enum Fault: Sendable {
        /// As if the connection broke before SQS saw the call.
        case lostRequest
        /// SQS did it and the answer was lost.
        case lostAnswer
        case error(String, status: Int)
        /// A batch answers 200 and each entry failed.
        case failedEntries(code: String, senderFault: Bool)
    }

    struct State {
        var queues: [String: [Message]] = [:]
        var deadLetters: [String: String] = [:]
        var faults: [String: [Fault]] = [:]
        var calls: [(lane: String, operation: String, timeout: Duration)] = []
        var number = 0
        var watchers: [(@Sendable (State) -> Bool, Signal)] = []
        var waiting: [Int: Signal] = [:]
        var extensions: [(id: String, visibility: Int)] = []
        var breaksBodies = false
    }

    let clock: VirtualClock
    let state = Mutex(State())

    init(_ clock: VirtualClock = VirtualClock()) { self.clock = clock }

    static let url = "https://sqs.test/1/uploads"
    static let deadURL = "https://sqs.test/1/dead"

    func client(_ lane: String) -> SQSClient { SQSClient(Lane(room: self, lane: lane)) }

    struct Lane: SQSTransport {
        let room: FakeSQS
        let lane: String

        func send(_ call: SQSCall) async throws(SQSError) -> SQSReply {
            await room.answer(call, lane)
        }
    }

    // MARK: For tests

    func put(_ bodies: String..., to queue: String = url) {
        let now = clock.now()
        change { state in
            for body in bodies {
                state.number += 1
                state.queues[queue, default: []].append(
                    Message(id: "m\(state.number)", body: body, visibleAt: now))
            }
        }
    }

    func fail(_ operation: String, _ faults: Fault...) {
        state.withLock { $0.faults[operation, default: []] += faults }
    }

    func bodies(in queue: String = url) -> [String] {
        state.withLock { ($0.queues[queue] ?? []).map(\.body) }
    }

    func calls(_ operation: String) -> Int {
        state.withLock { state in state.calls.count { $0.operation == operation } }
    }

    /// Returns once the state is as asked, or the test is cancelled.
    func until(_ condition: @escaping @Sendable (State) -> Bool) async {
        let signal = Signal()
        let isThere = state.withLock { state -> Bool in
            if condition(state) { return true }
            state.watchers.append((condition, signal))
            return false
        }
        if !isThere { await signal.wait() }
    }

    /// A receive wakes nobody: it would wake itself.
    private func change<R: Sendable>(
        wakes: Bool = true, _ body: (inout State) -> sending R
    ) -> R {
        let (result, ready, signals) = state.withLock {
            state -> (R, [Signal], [Signal]) in
            let result = body(&state)
            let watchers = state.watchers
            state.watchers = []
            state.watchers = watchers.filter { [state] in !$0.0(state) }
            let ready = watchers.filter { [state] in $0.0(state) }.map(\.1)
            return (result, ready, Array(state.waiting.values))
        }
        ready.forEach { $0.fire() }
        if wakes { signals.forEach { $0.fire() } }
        return result
    }

    // MARK: The protocol

    private func answer(_ call: SQSCall, _ lane: String) async -> SQSReply {
        let input =
            (try? JSONSerialization.jsonObject(with: Data(call.body)) as? [String: Any]) ?? [:]
        let fault = change { state -> Fault? in
            state.calls.append((lane, call.operation, call.timeout))
            guard state.faults[call.operation]?.isEmpty == false else { return nil }
            return state.faults[call.operation]?.removeFirst()
        }
        switch fault {
        case .lostRequest: return SQSReply(status: 500, body: [])
        case .error(let code, let status):
            return SQSReply(status: status, queryError: "\(code);Sender", body: [])
        case .failedEntries(let code, let senderFault):
            let entries = (input["Entries"] as? [[String: Any]]) ?? []
            return reply([
                "Failed": entries.map {
                    ["Id": $0["Id"] as Any, "Code": code, "SenderFault": senderFault]
                }
            ])
        case .lostAnswer:
            _ = await perform(call.operation, input)
            return SQSReply(status: 500, body: [])
        case nil: return await perform(call.operation, input)
        }
    }

    private func reply(_ value: [String: Any]) -> SQSReply {
        SQSReply(
            status: 200,
            body: [UInt8]((try? JSONSerialization.data(withJSONObject: value)) ?? Data()))
    }

    private func perform(_ operation: String, _ input: [String: Any]) async -> SQSReply {
        let queue = input["QueueUrl"] as? String ?? ""
        let entries = input["Entries"] as? [[String: Any]] ?? []
        switch operation {
        case "ReceiveMessage":
            return reply(
                await receive(
                    queue, input["MaxNumberOfMessages"] as? Int ?? 1,
                    visibility: input["VisibilityTimeout"] as? Int ?? 30,
                    wait: input["WaitTimeSeconds"] as? Int ?? 0))
        case "SendMessage":
            let body = input["MessageBody"] as? String ?? ""
            let delay = input["DelaySeconds"] as? Int ?? 0
            let due = clock.now() + .seconds(delay)
            let attributes = (input["MessageAttributes"] as? [String: Any] ?? [:]).mapValues {
                "\(($0 as? [String: Any])?["StringValue"] ?? "")"
            }
            change { state in
                state.number += 1
                state.queues[queue, default: []].append(
                    Message(
                        id: "m\(state.number)", body: body, attributes: attributes, visibleAt: due))
            }
            return reply(["MessageId": "x", "MD5OfMessageBody": SQSDigest.md5(of: body)])
        case "DeleteMessageBatch":
            return batch(entries) { receipt, _, state in
                state.queues[queue]?.removeAll { $0.receipt == receipt }
                return nil
            }
        case "ChangeMessageVisibilityBatch":
            let now = clock.now()
            return batch(entries) { receipt, entry, state in
                guard
                    let index = state.queues[queue]?.firstIndex(where: {
                        $0.receipt == receipt && $0.visibleAt > now
                    }), let message = state.queues[queue]?[index]
                else { return "MessageNotInflight" }
                let seconds = entry["VisibilityTimeout"] as? Int ?? 0
                let until = now + .seconds(seconds)
                if let received = message.receivedAt, until > received + .seconds(43_200) {
                    return "InvalidParameterValue"
                }
                state.extensions.append((message.id, seconds))
                state.queues[queue]?[index].visibleAt = until
                return nil
            }
        case "GetQueueAttributes":
            guard let target = state.withLock({ $0.deadLetters[queue] }) else { return reply([:]) }
            let policy =
                "{\"deadLetterTargetArn\":\"arn:aws:sqs:r:1:\(target)\",\"maxReceiveCount\":3}"
            return reply(["Attributes": ["RedrivePolicy": policy]])
        case "GetQueueUrl":
            return reply(["QueueUrl": "https://sqs.test/1/\(input["QueueName"] ?? "")"])
        default: return SQSReply(status: 400, queryError: "InvalidAction;Sender", body: [])
        }
    }

    private func batch(
        _ entries: [[String: Any]], _ body: (String, [String: Any], inout State) -> String?
    ) -> SQSReply {
        var done: [String] = []
        var failed: [(String, String)] = []
        for entry in entries {
            let id = entry["Id"] as? String ?? ""
            let receipt = entry["ReceiptHandle"] as? String ?? ""
            if let code = change({ body(receipt, entry, &$0) }) {
                failed.append((id, code))
            } else {
                done.append(id)
            }
        }
        return reply([
            "Successful": done.map { ["Id": $0] },
            "Failed": failed.map { ["Id": $0.0, "Code": $0.1, "SenderFault": true] },
        ])
    }

    private func receive(
        _ queue: String, _ count: Int, visibility: Int, wait: Int
    ) async -> [String: Any] {
        let end = clock.now() + .seconds(wait)
        let key = state.withLock { state in
            state.number += 1
            return state.number
        }
        while true {
            let now = clock.now()
            let signal = Signal()
            let (taken, broken) = change(wakes: false) { state -> ([Message], Bool) in
                var taken: [Message] = []
                for index in (state.queues[queue] ?? []).indices where taken.count < count {
                    guard var message = state.queues[queue]?[index], message.visibleAt <= now else {
                        continue
                    }
                    message.count += 1
                    message.receipt = "\(message.id)#\(message.count)"
                    message.receivedAt = now
                    message.visibleAt = now + .seconds(visibility)
                    state.queues[queue]?[index] = message
                    taken.append(message)
                }
                state.waiting[key] = taken.isEmpty && now < end ? signal : nil
                return (taken, state.breaksBodies)
            }
            if !taken.isEmpty {
                return [
                    "Messages": taken.map {
                        [
                            "MessageId": $0.id, "ReceiptHandle": $0.receipt ?? "",
                            "Body": $0.body, "MD5OfBody": broken ? "0" : SQSDigest.md5(of: $0.body),
                            "Attributes": ["ApproximateReceiveCount": "\($0.count)"],
                        ] as [String: Any]
                    }
                ]
            }
            if now >= end || Task.isCancelled { return [:] }
            let next = state.withLock { state in
                (state.queues[queue] ?? []).map(\.visibleAt).filter { $0 > now }.min()
            }
            let timer = clock.schedule(after: min(next ?? end, end) - now) { signal.fire() }
            await signal.wait()
            timer.cancel()
        }
    }
}

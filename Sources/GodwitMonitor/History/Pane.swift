// SPDX-License-Identifier: Apache-2.0
import Godwit

/// What happened to one kind in one queue in a span of time; adding two gives the sum of both.
struct Pane {
    /// By the place of the move in ``Pane/moves``.
    var verdicts = [UInt64](repeating: 0, count: Pane.moves.count)
    var waitSum: Int64 = 0
    var waitMax: Int64 = 0
    var runSum: Int64 = 0
    var runMax: Int64 = 0
    var wait = Buckets()
    var run = Buckets()

    /// The numbers that stores keep for moves: only ever appended to.
    static let moves: [Event.Move] = [
        .ack, .retry, .release, .reject, .forward, .reclaim, .crashLoop, .cancel, .purge, .redrive,
        .payloadLost,
    ]
    private static let failing = moves.map {
        switch $0 {
        case .retry, .reject, .reclaim, .crashLoop, .payloadLost: true
        default: false
        }
    }

    static func number(of move: Event.Move) -> Int {
        // Why a switch and no search: it runs once a row.
        switch move {
        case .ack: 0
        case .retry: 1
        case .release: 2
        case .reject: 3
        case .forward: 4
        case .reclaim: 5
        case .crashLoop: 6
        case .cancel: 7
        case .purge: 8
        case .redrive: 9
        case .payloadLost: 10
        }
    }

    static func isFailure(_ number: Int) -> Bool { failing[number] }

    /// The numbers of the moves that count as failures, for SQL.
    static var failureNumbers: String {
        moves.indices.filter { failing[$0] }.map(String.init).joined(separator: ", ")
    }

    /// One that ran.
    mutating func add(wait: Int64, run: Int64) {
        waitSum &+= wait
        waitMax = max(waitMax, wait)
        runSum &+= run
        runMax = max(runMax, run)
        self.wait.add(wait)
        self.run.add(run)
    }

    var runs: Int { verdicts.reduce(0) { $0 + Int(clamping: $1) } }

    var failures: Int {
        verdicts.indices.reduce(0) { Self.failing[$1] ? $0 + Int(clamping: verdicts[$1]) : $0 }
    }

    func stats(queue: String, kind: String) -> RunStats {
        var named: [String: Int] = [:]
        for (number, count) in verdicts.enumerated() where count > 0 {
            named[Self.moves[number].rawValue] = Int(clamping: count)
        }
        let count = Double(Swift.max(1, wait.count))
        return RunStats(
            queue: queue, kind: kind, runs: runs, verdicts: named, failures: failures,
            wait: wait.spread(mean: Double(waitSum) / count, max: Double(waitMax)),
            run: run.spread(mean: Double(runSum) / count, max: Double(runMax)))
    }

    // MARK: On disk

    /// The counts by verdict, as LEB128 numbers.
    var packedVerdicts: [UInt8] {
        var bytes: [UInt8] = []
        for count in verdicts { Buckets.append(count, to: &bytes) }
        return bytes
    }

    mutating func add(packedVerdicts bytes: UnsafeRawBufferPointer) -> Bool {
        var place = 0
        var number = 0
        while place < bytes.count {
            guard number < verdicts.count, let count = Buckets.number(bytes, &place) else {
                return false
            }
            verdicts[number] &+= count
            number += 1
        }
        return true
    }
}

/// What shares the name of all others where there are too many of them.
let otherName = "_other"

// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Godwit

/// One run of one message: `count` is its number by reserves, from 1.
package struct Run: Sendable, Hashable {
    package var id: MessageID
    package var count: Int

    package init(id: MessageID, count: Int) {
        self.id = id
        self.count = count
    }

    package init(_ token: LeaseToken) {
        let entry = token.entry
        self.init(id: entry.id, count: Int(entry.count) + 1)
    }
}

/// What a worker process says of itself, one line each.
package enum Report: Sendable, Hashable {
    package enum Ending: String, Sendable { case done, failed, cancelled }
    package enum Settling: String, Sendable { case ack, retry, reject, release, forward }
    package enum Answer: String, Sendable { case done, stale, targetBusy }

    /// The number under which its leases stand in the store.
    case hello(UInt32)
    case reserve(Run, attempt: Int, lost: Int)
    case start(Run)
    case end(Run, Ending)
    /// What the store said to a settle.
    case settle(Run, Settling, Answer)
    /// A renewal said that the lease is somebody else's.
    case leaseLost(Run)
    /// What the store said to a settle that was sent on purpose after the lease was lost.
    case lateSettle(Run, Settling, Answer)
    /// A point of a stream.
    case point(CrashPoint, PointMove)
    /// It has ended by itself, and well.
    case bye

    package enum PointMove: String, Sendable { case began, ended, failed, disorder }
}

extension Report {
    package var line: String {
        switch self {
        case .hello(let number): "hello \(number)"
        case .reserve(let run, let attempt, let lost):
            "reserve \(run.id) \(run.count) \(attempt) \(lost)"
        case .start(let run): "start \(run.id) \(run.count)"
        case .end(let run, let ending): "end \(run.id) \(run.count) \(ending.rawValue)"
        case .settle(let run, let verdict, let answer):
            "settle \(run.id) \(run.count) \(verdict.rawValue) \(answer.rawValue)"
        case .leaseLost(let run): "lost \(run.id) \(run.count)"
        case .lateSettle(let run, let verdict, let answer):
            "late \(run.id) \(run.count) \(verdict.rawValue) \(answer.rawValue)"
        case .point(let point, let move): "point \(point.key) \(point.place) \(move.rawValue)"
        case .bye: "bye"
        }
    }

    /// Reads a line; nil when it is none of ours.
    package init?(line: some StringProtocol) {
        let words = line.split(separator: " ")
        func run() -> Run? {
            guard words.count > 2, let id = MessageID(String(words[1])), let count = Int(words[2])
            else { return nil }
            return Run(id: id, count: count)
        }
        func word(_ index: Int) -> String { index < words.count ? String(words[index]) : "" }
        switch word(0) {
        case "hello":
            guard let number = UInt32(word(1)) else { return nil }
            self = .hello(number)
        case "reserve":
            guard let run = run(), let attempt = Int(word(3)), let lost = Int(word(4)) else {
                return nil
            }
            self = .reserve(run, attempt: attempt, lost: lost)
        case "start":
            guard let run = run() else { return nil }
            self = .start(run)
        case "end":
            guard let run = run(), let ending = Ending(rawValue: word(3)) else { return nil }
            self = .end(run, ending)
        case "settle", "late":
            guard let run = run(), let verdict = Settling(rawValue: word(3)),
                let answer = Answer(rawValue: word(4))
            else { return nil }
            self =
                word(0) == "late"
                ? .lateSettle(run, verdict, answer) : .settle(run, verdict, answer)
        case "lost":
            guard let run = run() else { return nil }
            self = .leaseLost(run)
        case "point":
            guard let key = Int(word(1)), let place = Int(word(2)),
                let move = PointMove(rawValue: word(3))
            else { return nil }
            self = .point(CrashPoint(key: key, place: place), move)
        case "bye": self = .bye
        default: return nil
        }
    }

    func write() { Report.write([self]) }

    /// Says several at once.
    ///
    /// Why in pieces of at most 4,096 bytes: a pipe takes such a piece whole or not at all (POSIX
    /// `PIPE_BUF`), so a kill never leaves half a line, nor do two threads mix theirs.
    static func write(_ reports: [Report]) {
        var piece: [UInt8] = []
        for report in reports {
            let line = Array((report.line + "\n").utf8)
            if piece.count + line.count > 4096 {
                put(piece)
                piece = []
            }
            piece += line
        }
        if !piece.isEmpty { put(piece) }
    }

    private static func put(_ piece: [UInt8]) {
        while Foundation.write(1, piece, piece.count) < 0, errno == EINTR {}
    }
}

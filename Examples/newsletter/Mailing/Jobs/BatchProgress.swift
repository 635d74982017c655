// SPDX-License-Identifier: Apache-2.0
import Foundation

/// How far a batch has come: the job's checkpoint, as JSON, so that `godwit job show` says it to people.
package struct BatchProgress: Sendable, Hashable, Codable {
    /// Within the 4 KiB of a checkpoint.
    static let mostDeferred = 256

    /// The share of the recipients that are done with.
    package private(set) var fraction: Double
    /// Recipients before this one were tried.
    package private(set) var next: Int
    package let of: Int
    /// Those of them that the server asked us to try later.
    package private(set) var deferred: [Int]
    /// Those it will never take; their addresses are in the report.
    package private(set) var rejected: Int

    package init(of count: Int) {
        fraction = 0
        next = 0
        of = count
        deferred = []
        rejected = 0
    }

    /// What an earlier run left; from the start when there is none, or one of another shape.
    package init(reading checkpoint: [UInt8]?, of count: Int) {
        self.init(of: count)
        guard let checkpoint,
            let left = try? JSONDecoder().decode(Self.self, from: Data(checkpoint)),
            left.of == count, (0...count).contains(left.next), left.rejected >= 0,
            left.deferred.count <= Self.mostDeferred,
            left.deferred.allSatisfy({ (0..<left.next).contains($0) })
        else { return }
        self = left
    }

    package var bytes: [UInt8] {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return Array(try encoder.encode(self))
        }
    }

    /// Positions to try in this run: those put off by an earlier one, then what is left.
    var todo: [Int] { deferred + Array(next..<of) }

    /// No more can be put off in one run.
    var isFull: Bool { deferred.count >= Self.mostDeferred }

    /// Notes what became of the mail at a position.
    mutating func note(_ outcome: Outcome, at position: Int) {
        deferred.removeAll { $0 == position }
        switch outcome {
        case .accepted: break
        case .deferred: deferred.append(position)
        case .rejected: rejected += 1
        }
        next = max(next, position + 1)
        let done = Double(next - deferred.count) / Double(max(1, of))
        fraction = (done * 1000).rounded() / 1000
    }
}

// SPDX-License-Identifier: Apache-2.0
public import Godwit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What an operator expects of a queue: where advice begins to speak. A note on the board, by queue.
///
/// All times are in seconds.
public struct QueueTargets: Sendable, Hashable, Codable {
    /// A mean wait above this is long.
    public var wait: Double = 60
    /// A p95 run above this is long.
    public var run: Double = 600
    /// A run is cancelled after this; nil: never, or not known.
    public var timeout: Double?
    /// A run that has written no checkpoint for so long is stuck; nil: its handler writes none.
    public var progressTimeout: Double?
    /// What is ready at any moment should be done within this time from then.
    public var deadline: Double?
    /// What is ready should be done by this moment, as a mailing that must be out by nine; the earlier
    /// one counts where both are set. Moves with no clock.
    public var deadlineAt: Timestamp?
    /// Failures of all runs above which they are spoken of.
    public var errorShare: Double = 0.05

    public init() {}

    /// What is missing in a note of an older version has its default.
    public init(from decoder: any Decoder) throws {
        self.init()
        let values = try decoder.container(keyedBy: CodingKeys.self)
        wait = try values.decodeIfPresent(Double.self, forKey: .wait) ?? wait
        run = try values.decodeIfPresent(Double.self, forKey: .run) ?? run
        timeout = try values.decodeIfPresent(Double.self, forKey: .timeout)
        progressTimeout = try values.decodeIfPresent(Double.self, forKey: .progressTimeout)
        deadline = try values.decodeIfPresent(Double.self, forKey: .deadline)
        deadlineAt = try values.decodeIfPresent(Timestamp.self, forKey: .deadlineAt)
        errorShare = try values.decodeIfPresent(Double.self, forKey: .errorShare) ?? errorShare
    }

    /// Seconds until what is ready should be done, below 0 when that moment is over; nil: never.
    func timeLeft(at now: Timestamp) -> Double? {
        [deadline, deadlineAt.map { Double(($0 - now).milliseconds) / 1000 }].compactMap { $0 }
            .min()
    }

    /// The targets of a queue, or the defaults where none are set or what is set can't be read.
    public static func read(
        of queue: QueueName, from board: any Board
    ) async throws(BrokerError) -> QueueTargets {
        guard let note = try await board.note(queue.text, in: .targets) else { return .init() }
        return (try? JSONDecoder().decode(QueueTargets.self, from: Data(note.bytes))) ?? .init()
    }

    /// Sets the targets of a queue for every process that reads them. Repeated: the last one holds.
    public func write(
        of queue: QueueName, to board: any Board
    ) async throws(BrokerError) {
        let times = [wait, run, timeout, progressTimeout, deadline].compactMap { $0 }
        guard times.allSatisfy({ $0.isFinite && $0 > 0 }), (0...1).contains(errorShare),
            let bytes = try? JSONEncoder().encode(self)
        else {
            throw .invalid(
                BrokerError.Problem(
                    what: "set the targets of '\(queue)'", location: "the board",
                    cause: "a time is not above 0 seconds, or the error share is not from 0 to 1",
                    advice: "Name times in seconds and the share as a fraction, such as 0.05."))
        }
        try await board.write([UInt8](bytes), as: queue.text, in: .targets, for: nil, if: .any)
    }
}

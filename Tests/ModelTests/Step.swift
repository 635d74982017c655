// SPDX-License-Identifier: Apache-2.0
import Godwit

/// One step of a sequence: a word, and the dice that choose its arguments when it is run.
///
/// The dice are thrown with the sequence, not on the way, so that a step keeps its meaning when
/// others before it are left out.
struct Step: Sendable, CustomStringConvertible {
    enum Word: String, Sendable, CaseIterable {
        case enqueue, resend, reserve, settle, settleAgain, settleAndReserve, renew, checkpoint
        case promote, reclaim, prune, redrive, cancel, promoteByID, pause, resume, purge, apply
        case advance, die

        /// How often it is drawn.
        var weight: Int {
            switch self {
            case .enqueue: 9
            case .reserve: 12
            case .settle: 9
            case .settleAndReserve: 5
            case .advance: 6
            case .reclaim: 5
            case .resend, .settleAgain, .redrive, .renew, .checkpoint: 2
            case .die: 3
            case .promote, .prune, .cancel, .promoteByID, .resume: 2
            case .pause, .purge, .apply: 1
            }
        }
    }

    var word: Word
    var seed: UInt64

    var description: String { "\(word.rawValue) #\(seed)" }

    private static let hat: [Word] = Word.allCases.flatMap {
        Array(repeating: $0, count: $0.weight)
    }

    static func draw(_ count: Int, seed: UInt64) -> [Step] {
        var dice = Xoshiro(seed: seed)
        return (0..<count).map { _ in
            Step(
                word: hat[Int.random(in: 0..<hat.count, using: &dice)],
                seed: dice.next() & 0xFFFF_FFFF)
        }
    }
}

/// What a sequence goes easy on, so that brokers may differ where the design lets them.
enum Profile: Int, Sendable, CaseIterable {
    /// Everything, with records kept long.
    case plain
    /// Few records kept: which of them are gone is the broker's business.
    case shortMemory
    /// Little room: cancelled messages may or may not count until a reserve passes them.
    case littleRoom
}

/// How a broker failed the model.
struct ModelFailure: Error, CustomStringConvertible {
    var step: Int
    var reason: String

    var description: String { "at step \(step): \(reason)" }
}

// SPDX-License-Identifier: Apache-2.0
import CoreMetrics
import Synchronization

/// Everything that this process counts for one metrics factory, each handle looked up once.
///
/// Only the process that did something counts it: what a store holds is read from the store. At
/// most ``pairLimit`` (queue, kind) pairs get numbers of their own; further ones share `_other`.
package final class MeterBook: Sendable {
    package static let pairLimit = 1000
    package static let queueLimit = 1000
    /// Stands for what has no numbers of its own.
    package static let other = "_other"

    let factory: any MetricsFactory
    let clockSteps: CoreMetrics.Counter
    private let words: [WordMeters]

    private struct Parts {
        var queues: [String: QueueMeters] = [:]
        var pairs = 0
    }
    private let parts = Mutex(Parts())

    private init(_ factory: any MetricsFactory) {
        self.factory = factory
        clockSteps = CoreMetrics.Counter(
            label: "godwit_clock_steps_total", dimensions: [], factory: factory)
        words = StoreWord.allCases.map { WordMeters($0, factory) }
    }

    // MARK: Of the current factory

    private static let books = Mutex<[ObjectIdentifier: MeterBook]>([:])

    /// The book of the factory that is current, task-local or bootstrapped; nil when nobody counts.
    package static var current: MeterBook? {
        let factory = MetricsSystem.factory
        if factory is NOOPMetricsHandler { return nil }
        let identity = ObjectIdentifier(factory as AnyObject)
        return books.withLock { books in
            if let book = books[identity] { return book }
            // A program has one factory; many come only from tests. The book keeps its factory
            // alive, so that no other one can have its identity.
            if books.count >= 64 { books.removeAll() }
            let book = MeterBook(factory)
            books[identity] = book
            return book
        }
    }

    // MARK: Its parts

    /// The numbers of one queue.
    package func meters(of queue: QueueName) -> QueueMeters {
        parts.withLock { parts in
            let name = parts.queues.count < Self.queueLimit ? queue.text : Self.other
            if let meters = parts.queues[queue.text] ?? parts.queues[name] { return meters }
            let meters = QueueMeters(name, self)
            parts.queues[name] = meters
            return meters
        }
    }

    func meters(of word: StoreWord) -> WordMeters { words[word.place] }

    /// Whether one more pair may have numbers of its own; the yes is counted.
    func admitsPair() -> Bool {
        parts.withLock { parts in
            guard parts.pairs < Self.pairLimit else { return false }
            parts.pairs += 1
            return true
        }
    }

    var isFull: Bool { parts.withLock { $0.pairs >= Self.pairLimit } }
}

/// What is asked of a store, as the label `word` names it.
enum StoreWord: String, CaseIterable {
    case enqueue, reserve, settle
    /// A settle and a reserve in one trip.
    case exchange
    case renew, checkpoint, reclaim, prune

    var place: Int {
        switch self {
        case .enqueue: 0
        case .reserve: 1
        case .settle: 2
        case .exchange: 3
        case .renew: 4
        case .checkpoint: 5
        case .reclaim: 6
        case .prune: 7
        }
    }
}

/// The numbers of one word.
final class WordMeters: Sendable {
    private let word: StoreWord
    private let factory: any MetricsFactory
    private let seconds: CoreMetrics.Timer
    private let batch: CoreMetrics.Recorder?
    private let stale: CoreMetrics.Counter?
    private let errors = Mutex<[String: CoreMetrics.Counter]>([:])

    init(_ word: StoreWord, _ factory: any MetricsFactory) {
        self.word = word
        self.factory = factory
        let labels = [("word", word.rawValue)]
        seconds = CoreMetrics.Timer(
            label: "godwit_store_seconds", dimensions: labels, preferredDisplayUnit: .seconds,
            factory: factory)
        let hasBatch: Set<StoreWord> = [.enqueue, .reserve, .settle, .renew]
        batch =
            hasBatch.contains(word)
            ? CoreMetrics.Recorder(
                label: "godwit_batch_size", dimensions: labels, aggregate: true, factory: factory)
            : nil
        let hasTokens: Set<StoreWord> = [.settle, .renew, .checkpoint]
        stale =
            hasTokens.contains(word)
            ? CoreMetrics.Counter(
                label: "godwit_stale_settles_total", dimensions: labels, factory: factory) : nil
    }

    func took(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.seconds.recordNanoseconds(seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000)
    }

    /// How many entries one call carried; none is no batch.
    func carried(_ count: Int) {
        if count > 0 { batch?.record(Int64(count)) }
    }

    func foundStale(_ outcomes: [SettleOutcome]) {
        let count = outcomes.count { $0 == .stale }
        if count > 0 { stale?.increment(by: count) }
    }

    func failed(_ error: BrokerError) {
        let cause = error.caseName
        let counter = errors.withLock { errors in
            if let counter = errors[cause] { return counter }
            let counter = CoreMetrics.Counter(
                label: "godwit_store_errors_total",
                dimensions: [("word", word.rawValue), ("cause", cause)], factory: factory)
            errors[cause] = counter
            return counter
        }
        counter.increment()
    }
}

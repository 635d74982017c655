// SPDX-License-Identifier: Apache-2.0
public import CoreMetrics
import Synchronization

/// Counts what swift-metrics is told, in memory, and writes it as text for a scraper.
///
/// Bootstrap it once, before queues and workers are made: `MetricsSystem.bootstrap(factory)`. Labels
/// that Godwit does not know are left out, so that no library can put ids into them; a family has at
/// most ``pairLimit`` (queue, kind) pairs and ``seriesLimit`` series, and what comes later shares
/// `_other`. A series stays until the process ends.
public final class OpenMetricsFactory: MetricsFactory, Sendable {
    public static let pairLimit = 1000
    public static let seriesLimit = 10_000
    public static let familyLimit = 500
    static let other = "_other"

    private let families = Mutex<[String: Family]>([:])
    /// Bytes of the last text, to reserve as many.
    private let lastSize = Atomic(4096)

    public init() {}

    // MARK: MetricsFactory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, .counter, dimensions) { _ in CounterSeries() }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, .gauge, dimensions) { _ in GaugeSeries() }
    }

    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return series(label, .gauge, dimensions) { _ in GaugeSeries() } }
        return series(label, .histogram, dimensions, isTime: false) { bounds in
            HistogramSeries(bounds: bounds, scale: 1)
        }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let label = label.hasSuffix("_seconds") ? label : label + "_seconds"
        return series(label, .histogram, dimensions, isTime: true) { bounds in
            HistogramSeries(bounds: bounds, scale: 1e9)
        }
    }

    // Why nothing: others may hold the same series, and all of them are bounded.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    // MARK: Text

    /// Everything that was counted, and `others` among it, by name.
    public func text(
        as format: MetricsFormat = .openMetrics, with others: [MetricFamily] = []
    ) -> [UInt8] {
        let own = families.withLock { $0 }
        var read: [String: MetricFamily] = [:]
        for family in others where own[family.name] == nil { read[family.name] = family }
        var text = Exposition(format, capacity: lastSize.load(ordering: .relaxed) + 4096)
        for name in (Array(own.keys) + read.keys).sorted() {
            if let family = own[name] { family.write(into: &text) }
            if let family = read[name] { text.add(family) }
        }
        text.end()
        lastSize.store(text.bytes.count, ordering: .relaxed)
        return text.bytes
    }

    /// How many series there are.
    package var seriesCount: Int {
        families.withLock { $0.values.reduce(0) { $0 + $1.count } }
    }

    // MARK: Series

    private func series<S: AnyObject & Sendable>(
        _ label: String, _ kind: MetricFamily.Kind, _ dimensions: [(String, String)],
        isTime: Bool = false, _ make: ([Double]) -> S
    ) -> S {
        let name = Exposition.name(label, kind)
        return families.withLock { families in
            let bounds =
                kind == .histogram ? MetricCatalogue.bounds(of: name, isTime: isTime) : []
            guard families[name] != nil || families.count < Self.familyLimit else {
                return make(bounds)
            }
            // A name that is two things can't be written: the second one counts for nobody.
            var family = families.removeValue(forKey: name) ?? Family(name, kind, bounds)
            defer { families[name] = family }
            guard family.kind == kind else { return make(bounds) }
            let found = family.series(dimensions) { make(bounds) }
            return found as? S ?? make(bounds)
        }
    }
}

/// The series of one name.
struct Family: Sendable {
    let name: String
    let kind: MetricFamily.Kind
    private let bounds: [[UInt8]]
    private var places: [String: any AnyObject & Sendable] = [:]
    /// By label text, in its order.
    private var ordered: [(labels: String, bytes: [UInt8], series: any AnyObject & Sendable)] = []
    private var pairs: Set<String> = []
    private var others: Set<String> = []

    init(_ name: String, _ kind: MetricFamily.Kind, _ bounds: [Double]) {
        self.name = name
        self.kind = kind
        self.bounds = bounds.map { Array(Exposition.number($0).utf8) }
    }

    var count: Int { ordered.count }

    mutating func series(
        _ dimensions: [(String, String)], _ make: () -> any AnyObject & Sendable
    ) -> any AnyObject & Sendable {
        var labels: [MetricFamily.Label] = []
        for name in MetricCatalogue.labels {
            guard let value = dimensions.last(where: { $0.0 == name })?.1 else { continue }
            labels.append(MetricFamily.Label(name, value))
        }
        bound(&labels)
        var text = Exposition.labels(labels)
        if let series = places[text] { return series }
        if ordered.count >= OpenMetricsFactory.seriesLimit {
            for place in labels.indices { labels[place].value = OpenMetricsFactory.other }
            text = Exposition.labels(labels)
            if let series = places[text] { return series }
        }
        let series = make()
        places[text] = series
        let place = ordered.firstIndex { $0.labels > text } ?? ordered.endIndex
        ordered.insert((text, Array(text.utf8), series), at: place)
        return series
    }

    /// Puts what goes beyond the bound of (queue, kind) pairs under `_other`.
    private mutating func bound(_ labels: inout [MetricFamily.Label]) {
        let places = labels.indices.filter {
            ["queue", "kind", "stream"].contains(labels[$0].name)
        }
        if places.isEmpty { return }
        let other = OpenMetricsFactory.other
        let key = places.map { labels[$0].value }.joined(separator: "\u{0}")
        if pairs.contains(key) || others.contains(key) { return }
        // A queue's own `_other` is no pair, and there are as many of them as queues.
        let isOther = labels.contains { $0.name == "kind" && $0.value == other }
        if isOther, others.count < OpenMetricsFactory.pairLimit {
            others.insert(key)
        } else if !isOther, pairs.count < OpenMetricsFactory.pairLimit {
            pairs.insert(key)
        } else {
            for place in places { labels[place].value = other }
        }
    }

    func write(into text: inout Exposition) {
        text.head(name, kind)
        let name = Array(name.utf8)
        for (_, labels, series) in ordered {
            switch series {
            case let counter as CounterSeries: text.counter(name, labels, counter.value)
            case let gauge as GaugeSeries: text.gauge(name, labels, gauge.value)
            case let histogram as HistogramSeries:
                text.histogram(name, labels, bounds, histogram.reading)
            default: break
            }
        }
    }
}

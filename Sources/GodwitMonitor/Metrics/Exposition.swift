// SPDX-License-Identifier: Apache-2.0

/// Writes families of numbers as text, in the formats of ``MetricsFormat``.
struct Exposition {
    private(set) var bytes: [UInt8] = []
    private let format: MetricsFormat

    init(_ format: MetricsFormat, capacity: Int) {
        self.format = format
        bytes.reserveCapacity(capacity)
    }

    // MARK: Parts

    /// `# TYPE`, `# UNIT` and `# HELP`. In OpenMetrics a counter's family has no `_total`.
    mutating func head(_ name: String, _ kind: MetricFamily.Kind) {
        let isTotal = format == .plainText && kind == .counter
        let family = isTotal ? name + "_total" : name
        add("# TYPE \(family) \(kind.rawValue)\n")
        if format == .openMetrics, name.hasSuffix("_seconds") {
            add("# UNIT \(family) seconds\n")
        }
        if let help = MetricCatalogue.help(of: name) {
            add("# HELP \(family) \(Self.escaped(help))\n")
        }
    }

    mutating func add(_ family: MetricFamily) {
        head(family.name, family.kind)
        let name = Array(family.name.utf8)
        for sample in family.samples {
            let labels = Array(Self.labels(sample.labels).utf8)
            bytes += name
            if family.kind == .counter { add("_total") }
            open(labels)
            add(Self.number(sample.value, isWhole: family.kind == .counter))
            bytes.append(newline)
        }
    }

    mutating func counter(_ name: [UInt8], _ labels: [UInt8], _ value: Int64) {
        bytes += name
        add("_total")
        open(labels)
        add(UInt64(max(0, value)))
        bytes.append(newline)
    }

    mutating func gauge(_ name: [UInt8], _ labels: [UInt8], _ value: Double) {
        bytes += name
        open(labels)
        add(Self.number(value))
        bytes.append(newline)
    }

    /// Buckets add up: each counts everything that is at most its bound, the last one everything.
    mutating func histogram(
        _ name: [UInt8], _ labels: [UInt8], _ bounds: [[UInt8]], _ reading: HistogramSeries.Reading
    ) {
        var total: UInt64 = 0
        for (place, count) in reading.counts.enumerated() {
            total &+= count
            bytes += name
            add("_bucket{")
            bytes += labels
            add(labels.isEmpty ? "le=\"" : ",le=\"")
            if place < bounds.count { bytes += bounds[place] } else { add("+Inf") }
            add("\"} ")
            add(total)
            bytes.append(newline)
        }
        bytes += name
        add("_sum")
        open(labels)
        add(Self.number(reading.sum))
        bytes.append(newline)
        bytes += name
        add("_count")
        open(labels)
        add(total)
        bytes.append(newline)
    }

    mutating func end() {
        if format == .openMetrics { add("# EOF\n") }
    }

    // MARK: Pieces

    private let newline = UInt8(ascii: "\n")

    private mutating func add(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    @_disfavoredOverload
    private mutating func add(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func add(_ number: UInt64) {
        if number < 10 { return bytes.append(UInt8(ascii: "0") + UInt8(number)) }
        bytes.append(contentsOf: String(number).utf8)
    }

    private mutating func open(_ labels: [UInt8]) {
        if !labels.isEmpty {
            bytes.append(UInt8(ascii: "{"))
            bytes += labels
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(UInt8(ascii: " "))
    }

    /// `a="b",c="d"`, without brackets.
    static func labels(_ labels: [MetricFamily.Label]) -> String {
        labels.map { "\($0.name)=\"\(escaped(String($0.value.prefix(200))))\"" }
            .joined(separator: ",")
    }

    /// Backslash, quote and line feed have an escape, in label values and in help.
    static func escaped(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    static func number(_ value: Double, isWhole: Bool = false) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if isWhole, let whole = Int64(exactly: value) { return "\(whole)" }
        return "\(value)"
    }

    /// A name that both formats take, without the `_total` that a counter is written with.
    static func name(_ label: String, _ kind: MetricFamily.Kind) -> String {
        var name = ""
        for scalar in label.unicodeScalars.prefix(200) {
            switch scalar {
            case "a"..."z", "A"..."Z", "_", ":": name.unicodeScalars.append(scalar)
            case "0"..."9" where !name.isEmpty: name.unicodeScalars.append(scalar)
            default: name += "_"
            }
        }
        if name.isEmpty { name = "_" }
        if kind == .counter, name.hasSuffix("_total"), name != "_total" { name.removeLast(6) }
        return name
    }
}

// SPDX-License-Identifier: Apache-2.0

/// In which text numbers are handed to a scraper.
public enum MetricsFormat: Sendable, Hashable, CaseIterable {
    /// [OpenMetrics 1.0](https://prometheus.io/docs/specs/om/open_metrics_spec/).
    case openMetrics
    /// Prometheus' [text format](https://prometheus.io/docs/instrumenting/exposition_formats/).
    case plainText

    public var contentType: String {
        switch self {
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        case .plainText: "text/plain; version=0.0.4; charset=utf-8"
        }
    }

    /// What a scraper gets that sent this `Accept`: what it likes best, OpenMetrics where it likes
    /// both the same or says nothing.
    public init(accept: String?) {
        var best: [MetricsFormat: Double] = [:]
        for range in (accept ?? "*/*").lowercased().split(separator: ",").prefix(32) {
            let parts = range.split(separator: ";").map { $0.filter { !$0.isWhitespace } }
            guard let type = parts.first else { continue }
            var quality = 1.0
            var isOurs = true
            for parameter in parts.dropFirst() {
                if parameter.hasPrefix("q=") { quality = Double(parameter.dropFirst(2)) ?? 0 }
                if parameter.hasPrefix("version=") {
                    isOurs = ["version=1.0.0", "version=0.0.4"].contains(parameter)
                }
            }
            guard isOurs else { continue }
            switch type {
            case "application/openmetrics-text", "application/*":
                best[.openMetrics] = max(best[.openMetrics] ?? 0, quality)
            case "text/plain", "text/*":
                best[.plainText] = max(best[.plainText] ?? 0, quality)
            case "*/*":
                // The least special range: it only speaks where nothing else does.
                for format in Self.allCases where best[format] == nil { best[format] = quality }
            default: break
            }
        }
        self = (best[.plainText] ?? 0) > (best[.openMetrics] ?? 0) ? .plainText : .openMetrics
    }
}

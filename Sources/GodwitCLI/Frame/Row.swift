// SPDX-License-Identifier: Apache-2.0
import Godwit

/// A thing that a command prints: one table of columns says how it looks in every format.
protocol Row: Sendable {
    /// Name and version: the version rises when a field goes or changes its meaning; new fields
    /// may come at any time.
    static var schema: String { get }
    static var columns: [Column<Self>] { get }
}

/// One field of a thing.
struct Column<R: Sendable>: Sendable {
    /// Where people see it.
    enum Place: Sendable {
        /// In lists and alone.
        case list
        /// Only where the thing stands alone, or is asked for by name.
        case detail
    }

    /// Its key in JSON and its header in TSV.
    let name: String
    let type: String
    let about: String
    let place: Place
    let value: @Sendable (R) -> Value

    static func text(
        _ name: String, _ about: String, _ place: Place = .list,
        _ get: @escaping @Sendable (R) -> String?
    ) -> Self {
        Self(name: name, type: "string", about: about, place: place) { .optional(get($0)) }
    }

    static func int(
        _ name: String, _ about: String, _ place: Place = .list,
        _ get: @escaping @Sendable (R) -> Int?
    ) -> Self {
        Self(name: name, type: "integer", about: about, place: place) { .optional(get($0)) }
    }

    static func number(
        _ name: String, _ about: String, _ place: Place = .list,
        _ get: @escaping @Sendable (R) -> Double?
    ) -> Self {
        Self(name: name, type: "number", about: about, place: place) {
            get($0).map(Value.number) ?? .null
        }
    }

    static func flag(
        _ name: String, _ about: String, _ place: Place = .list,
        _ get: @escaping @Sendable (R) -> Bool
    ) -> Self { Self(name: name, type: "boolean", about: about, place: place) { .flag(get($0)) } }

    static func time(
        _ name: String, _ about: String, _ place: Place = .list,
        _ get: @escaping @Sendable (R) -> Timestamp?
    ) -> Self { Self(name: name, type: "time", about: about, place: place) { .optional(get($0)) } }

    static func span(
        _ name: String, _ about: String, _ place: Place = .list,
        _ get: @escaping @Sendable (R) -> Duration?
    ) -> Self {
        Self(name: name, type: "milliseconds", about: about, place: place) {
            get($0).map(Value.span) ?? .null
        }
    }

    static func list(
        _ name: String, _ about: String, _ place: Place = .list,
        _ get: @escaping @Sendable (R) -> [Value]
    ) -> Self { Self(name: name, type: "array", about: about, place: place) { .list(get($0)) } }

    static func object(
        _ name: String, _ about: String, _ place: Place = .detail,
        _ get: @escaping @Sendable (R) -> [(String, Value)]?
    ) -> Self {
        Self(name: name, type: "object", about: about, place: place) {
            get($0).map(Value.object) ?? .null
        }
    }
}

/// What was looked at for a list, and where to go on.
struct Scan: Sendable {
    var scanned: Int
    var isComplete: Bool
    /// For `--after`.
    var next: String?

    var fields: [(String, Value)] {
        [("scanned", .int(scanned)), ("complete", .flag(isComplete)), ("next", .optional(next))]
    }

    var sentence: String {
        "scanned \(scanned), "
            + (isComplete ? "complete" : "incomplete")
            + (next.map { "; go on with --after '\($0.shown)'" } ?? "")
    }
}

// SPDX-License-Identifier: Apache-2.0
import MessagePack

/// A payload as a query looks into it, in place: nothing of it is built.
///
/// MessagePack and JSON are read; of any other content type nothing is known. A payload that turns
/// out damaged half way has what stands before the damage. Depth is bounded by 64 levels.
package struct Arguments {
    /// A value that a query can compare.
    package enum Scalar: Sendable, Hashable {
        case null
        case flag(Bool)
        case number(ExactNumber)
        case text([UInt8])
    }

    /// Levels of maps and arrays inside each other.
    static let depthLimit = 64

    private let payload: [UInt8]
    private let contentType: ContentType

    package init(_ payload: [UInt8], _ contentType: ContentType) {
        self.payload = payload
        self.contentType = contentType
    }

    /// Calls `use` with the value at the path, or, where that is an array, with each of its
    /// elements that is a scalar, until it says true.
    ///
    /// The first of several equal names counts; a name of digits is also a place in an array.
    package func first(at path: [String], where use: (Scalar) -> Bool) -> Bool {
        visit(path, .shallow, use).isFound
    }

    /// Whether there is a value at the path, null included.
    package func hasValue(at path: [String]) -> Bool { visit(path, .shallow) { _ in false }.exists }

    /// Calls `use` with every scalar of the payload that is not the name of another, until it says true.
    package func first(where use: (Scalar) -> Bool) -> Bool { visit([], .deep, use).isFound }

    enum Reach { case shallow, deep }

    struct Visit {
        var exists = false
        var isFound = false
    }

    private func visit(_ path: [String], _ reach: Reach, _ use: (Scalar) -> Bool) -> Visit {
        switch contentType {
        case .messagePack:
            var visit = Visit()
            MessagePackReader.reading(payload) { reader in
                // Damage ends the look; what was seen before it counts.
                try? Self.walk(&reader, path[...], reach, 0, &visit, use)
            }
            return visit
        case .json:
            var reader = JSONReader(payload)
            var visit = Visit()
            reader.walk(path[...], reach, 0, &visit, use)
            return visit
        case .bytes, .other: return Visit()
        }
    }

    // MARK: MessagePack

    /// Leaves the reader behind the value unless something was found.
    private static func walk(
        _ reader: inout MessagePackReader, _ path: ArraySlice<String>, _ reach: Reach, _ depth: Int,
        _ visit: inout Visit, _ use: (Scalar) -> Bool
    ) throws(MessagePackError) {
        guard depth < depthLimit else { return try reader.skip() }
        guard let name = path.first else {
            visit.exists = true
            return try take(&reader, reach, depth, &visit, use)
        }
        switch try reader.peek() {
        case .map:
            var isPassed = false
            for _ in 0..<(try reader.readMapHeader()) {
                var isName = false
                if !isPassed { isName = try reads(&reader, name) }
                if !isName {
                    if isPassed { try reader.skip() }
                    try reader.skip()
                    continue
                }
                isPassed = true
                try walk(&reader, path.dropFirst(), reach, depth + 1, &visit, use)
                if visit.isFound { return }
            }
        case .array:
            let index = Int(name)
            for place in 0..<(try reader.readArrayHeader()) {
                if place == index {
                    try walk(&reader, path.dropFirst(), reach, depth + 1, &visit, use)
                    if visit.isFound { return }
                } else {
                    try reader.skip()
                }
            }
        default: try reader.skip()
        }
    }

    /// Reads a key of a map; true when it is this name.
    private static func reads(
        _ reader: inout MessagePackReader, _ name: String
    ) throws(MessagePackError) -> Bool {
        switch try reader.peek() {
        case .string: return try reader.readStringBytes().elementsEqual(name.utf8)
        default:
            try reader.skip()
            return false
        }
    }

    private static func take(
        _ reader: inout MessagePackReader, _ reach: Reach, _ depth: Int, _ visit: inout Visit,
        _ use: (Scalar) -> Bool
    ) throws(MessagePackError) {
        switch try reader.peek() {
        case .array:
            guard depth < depthLimit else { return try reader.skip() }
            for _ in 0..<(try reader.readArrayHeader()) {
                if reach == .deep {
                    try take(&reader, reach, depth + 1, &visit, use)
                } else if let scalar = try scalar(&reader) {
                    visit.isFound = use(scalar)
                }
                if visit.isFound { return }
            }
        case .map:
            guard reach == .deep, depth < depthLimit else { return try reader.skip() }
            for _ in 0..<(try reader.readMapHeader()) {
                try reader.skip()
                try take(&reader, reach, depth + 1, &visit, use)
                if visit.isFound { return }
            }
        default:
            if let scalar = try scalar(&reader) { visit.isFound = use(scalar) }
        }
    }

    /// Nil for what has no order and no text; it is passed over.
    private static func scalar(
        _ reader: inout MessagePackReader
    ) throws(MessagePackError) -> Scalar? {
        switch try reader.peek() {
        case .null:
            try reader.readNil()
            return .null
        case .bool: return .flag(try reader.readBool())
        case .integer:
            var ahead = reader
            if let whole = try? ahead.readInt64() {
                reader = ahead
                return .number(ExactNumber(whole))
            }
            return .number(ExactNumber(try reader.readUInt()))
        case .float: return ExactNumber(try reader.readDouble()).map { .number($0) }
        case .string: return .text([UInt8](try reader.readStringBytes()))
        case .binary, .array, .map, .extension, .reserved:
            try reader.skip()
            return nil
        }
    }
}

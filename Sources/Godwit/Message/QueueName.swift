// SPDX-License-Identifier: Apache-2.0

/// The name of a queue: 1 to 128 characters out of `A–Z a–z 0–9 . _ : -`.
///
/// The same name on the same store is the same queue, whoever opens it. Nothing else is let in,
/// because the name becomes a part of keys, file columns, URLs and log lines.
public struct QueueName: Sendable, Hashable, Codable {
    public let text: String

    /// Throws ``InvalidName`` when the text holds anything else, or too much of it.
    public init(_ text: String) throws(InvalidName) {
        try InvalidName.check(text, as: .queue)
        self.text = text
    }

    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

extension QueueName: CustomStringConvertible, Comparable, ExpressibleByStringLiteral {
    public var description: String { text }

    public static func < (left: QueueName, right: QueueName) -> Bool { left.text < right.text }

    /// A literal in the source: a wrong one is the programmer's error and stops the program.
    /// Text that comes from outside goes through ``init(_:)``.
    public init(stringLiteral text: String) {
        do {
            try self.init(text)
        } catch {
            preconditionFailure("\(error)")
        }
    }
}

/// Says which name was refused, and why.
public struct InvalidName: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Role: String, Sendable, Hashable {
        case queue, kind
    }

    public let role: Role
    public let text: String
    public let reason: String

    public var description: String {
        let shown = text.count > 40 ? "\(text.prefix(40))…" : text
        return """
            '\(shown.escapedForDisplay)' can't be the name of a \(role): \(reason). \
            Use 1 to 128 characters out of A–Z a–z 0–9 . _ : -
            """
    }

    static func check(_ text: String, as role: Role) throws(InvalidName) {
        if text.isEmpty { throw InvalidName(role: role, text: text, reason: "it is empty") }
        if text.utf8.count > 128 {
            throw InvalidName(
                role: role, text: text, reason: "it has \(text.utf8.count) bytes, 128 are allowed")
        }
        for character in text.unicodeScalars where !isAllowed(character) {
            throw InvalidName(
                role: role, text: text,
                reason: "it holds '\(String(character).escapedForDisplay)'")
        }
    }

    private static func isAllowed(_ character: Unicode.Scalar) -> Bool {
        switch character {
        case "A"..."Z", "a"..."z", "0"..."9", ".", "_", ":", "-": true
        default: false
        }
    }
}

extension String {
    /// The text without control characters and what turns the direction or breaks a line, so that it can
    /// stand in a terminal or a log line.
    package var escapedForDisplay: String {
        var shown = ""
        for character in unicodeScalars {
            switch character.value {
            case ..<0x20, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069:
                shown += "\\u{\(String(character.value, radix: 16))}"
            default:
                shown.unicodeScalars.append(character)
            }
        }
        return shown
    }
}

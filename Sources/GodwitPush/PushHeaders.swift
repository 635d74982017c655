// SPDX-License-Identifier: Apache-2.0
import Godwit

/// Why a message can't be sent by HTTP at all.
struct Unsendable: Error {
    let reason: String
}

/// The headers of a pushed message.
///
/// What a producer wrote is hostile: names keep letters, digits and hyphens, and get a hyphen for
/// everything else; values are percent-encoded (RFC 3986 §2.1) where they hold anything but printable
/// ASCII, and `%` itself always. Of two names that become the same one the first in order counts.
enum PushHeaders {
    static let prefix = "Godwit-Header-"
    /// The bounds of a producer's headers; a body that was made by something else may pass them.
    private static let most = 64
    private static let mostBytes = 16 << 10

    static func of(_ call: PushCall) throws(Unsendable) -> [(String, String)] {
        let message = call.message
        var headers = [
            ("Content-Type", mediaType(message.contentType.text)),
            ("User-Agent", "godwit"),
            ("Godwit-Id", "\(message.id)"),
            ("Godwit-Kind", encoded(message.kind)),
            ("Godwit-Queue", call.queue.text),
            ("Godwit-Attempt", "\(Int(call.entry.attempt) + 1)"),
            ("Godwit-Count", "\(Int(call.entry.count) + 1)"),
        ]
        let bytes = message.headers.reduce(message.kind.utf8.count) {
            $0 + $1.key.utf8.count + $1.value.utf8.count
        }
        guard message.headers.count <= most, bytes <= mostBytes else {
            throw Unsendable(
                reason: """
                    its kind and \(message.headers.count) headers of \(bytes) bytes do not fit a \
                    request: \(most) and \(mostBytes) are allowed
                    """)
        }
        var names: Set<String> = []
        for (name, value) in message.headers.sorted(by: { $0.key < $1.key }) {
            let clean = prefix + token(name)
            guard names.insert(clean.lowercased()).inserted else { continue }
            headers.append((clean, encoded(value)))
        }
        return headers
    }

    private static func token(_ name: String) -> String {
        String(
            decoding: name.utf8.map { isAlphanumeric($0) ? $0 : UInt8(ascii: "-") }, as: UTF8.self)
    }

    private static func encoded(_ value: String) -> String {
        guard
            value.utf8.contains(where: { !isPlain($0) }) || value.first == " " || value.last == " "
        else { return value }
        var bytes: [UInt8] = []
        for (index, byte) in value.utf8.enumerated() {
            // Why the ends: a receiver trims them (RFC 9110 §5.5).
            let isEnd = byte == 0x20 && (index == 0 || index == value.utf8.count - 1)
            if isPlain(byte), !isEnd {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digit(byte >> 4), digit(byte & 0xF)]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 + value : 0x41 + value - 10
    }

    /// What is no media type goes as plain bytes.
    private static func mediaType(_ text: String) -> String {
        let isFit =
            (1...255).contains(text.utf8.count) && text.contains("/")
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) || $0 == 0x20 }
        return isFit ? text : ContentType.bytes.text
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x20...0x7E).contains(byte) && byte != UInt8(ascii: "%")
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == 0x2D
    }
}

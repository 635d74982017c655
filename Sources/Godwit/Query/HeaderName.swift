// SPDX-License-Identifier: Apache-2.0

/// Headers of a message that mean something to Godwit itself.
public enum HeaderName {
    /// What the message is about, such as a device or a customer; any number of messages may share it.
    public static let key = "godwit-key"
    /// Tags, with commas between.
    public static let tags = "godwit-tags"
    /// The producer's place in a trace (https://www.w3.org/TR/trace-context/#traceparent-header).
    public static let trace = "traceparent"

    /// The tags as the header holds them: in their order, each once, without empty ones.
    static func joined(_ tags: [String]) -> String {
        var seen: [String] = []
        for tag in tags.flatMap({ split($0) }) where !seen.contains(tag) { seen.append(tag) }
        return seen.joined(separator: ",")
    }

    package static func split(_ tags: String) -> [String] {
        tags.utf8.split(separator: UInt8(ascii: ",")).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The 32 digits of the trace out of `00-TRACE-SPAN-FLAGS`; nil when it is something else.
    package static func traceID(in header: String) -> String? {
        let parts = header.utf8.split(
            separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[1].count == 32,
            parts[1].allSatisfy({ Hex.value(of: $0) != nil })
        else { return nil }
        return String(decoding: parts[1], as: UTF8.self).asciiLowercased
    }
}

// SPDX-License-Identifier: Apache-2.0

extension MessagePackError: CustomStringConvertible {
    /// What, where, the likely cause and what to do next, in one line.
    public var description: String { "\(what) at \(place)" + (advice.isEmpty ? "" : "; \(advice)") }

    private var what: String {
        switch self {
        case .truncated(_, let missing): "MessagePack value cut short, \(missing) bytes missing,"
        case .trailingBytes(_, let count): "\(count) bytes after the end of the MessagePack value"
        case .reservedByte: "byte 0xc1, which MessagePack never uses,"
        case .invalidText: "string that is not UTF-8"
        case .invalidTimestamp(_, let reason): "invalid timestamp (\(reason))"
        case .duplicateKey(_, let key): "key \(key) twice in one map"
        case .unsupportedKey(_, let found): "map key of kind \(found)"
        case .tooDeep(_, let limit): "more than \(limit) maps and arrays inside each other"
        case .mismatch(_, let expected, let found): "expected \(expected), found \(found)"
        case .outOfRange(_, let value, let type): "number \(value) does not fit in \(type)"
        case .missingKey(_, let key): "no key \"\(key)\" in the map"
        case .missingValue(_, let expected): "expected \(expected), found nothing"
        case .corrupt(_, let reason): reason
        case .refused(_, let error): "refused by the type: \(error)"
        case .unencodable(_, let reason): "can't encode: \(reason)"
        }
    }

    private var advice: String {
        switch self {
        case .truncated: "the bytes were cut on the way, or are not MessagePack"
        case .trailingBytes: "decode one value at a time, or use MessagePackReader for a sequence"
        case .reservedByte, .invalidText: "the bytes are damaged, or are not MessagePack"
        case .duplicateKey: "the sender must write each key once"
        case .unsupportedKey: "decode MessagePackValue to see such maps"
        case .mismatch, .missingKey, .missingValue, .outOfRange:
            "sender and receiver disagree on the type"
        default: ""
        }
    }
}

extension MessagePackError.Place: CustomStringConvertible {
    /// `byte 12 (user.tags[3])`.
    public var description: String {
        var text = ""
        for step in path {
            switch step {
            case .key(let key): text += text.isEmpty ? key : ".\(key)"
            case .index(let index): text += "[\(index)]"
            }
        }
        return text.isEmpty ? "byte \(offset)" : "byte \(offset) (\(text))"
    }
}

extension MessagePackError.Step: CodingKey {
    /// The key, or the index as Swift's own coders spell it.
    public var stringValue: String {
        switch self {
        case .key(let key): key
        case .index(let index): "Index \(index)"
        }
    }

    /// The index, or nil for a key.
    public var intValue: Int? {
        switch self {
        case .key: nil
        case .index(let index): index
        }
    }

    /// A key.
    public init(stringValue: String) { self = .key(stringValue) }
    /// An index.
    public init(intValue: Int) { self = .index(intValue) }

    /// Keeps what a step needs of any other key.
    init(_ key: any CodingKey) {
        if let step = key as? Self {
            self = step
        } else if let index = key.intValue, key.stringValue == "Index \(index)" {
            self = .index(index)
        } else {
            self = .key(key.stringValue)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

/// Why a line is no reading. The line's bytes are kept by the caller (I11); nothing is half used.
package enum RejectReason: Error, Hashable, Sendable {
    case tooLong(bytes: Int)
    case empty
    case notUTF8
    case notJSON(at: Int)
    case tooDeep(at: Int)
    case notAnObject
    case missing(String)
    case wrongType(String)
    case outOfRange(String)
    case duplicateField(String)
    case tooMany(String)
    case version(Int)
    /// Read by a clock that is more than an hour ahead of ours.
    case clockSkew(ahead: Int64)

    /// A short word for counting.
    package var code: String {
        switch self {
        case .tooLong: "too_long"
        case .empty: "empty"
        case .notUTF8: "not_utf8"
        case .notJSON: "not_json"
        case .tooDeep: "too_deep"
        case .notAnObject: "not_an_object"
        case .missing: "missing"
        case .wrongType: "wrong_type"
        case .outOfRange: "out_of_range"
        case .duplicateField: "duplicate_field"
        case .tooMany: "too_many"
        case .version: "version"
        case .clockSkew: "clock_skew"
        }
    }

    /// A sentence for the person who looks at the rejects.
    package var text: String {
        switch self {
        case .tooLong(let bytes): "line of \(bytes) bytes; at most \(Reading.maxLine) are read"
        case .empty: "empty line"
        case .notUTF8: "not UTF-8; is the file in another encoding?"
        case .notJSON(let at): "not JSON at byte \(at); was the line cut off?"
        case .tooDeep(let at): "nested too deeply at byte \(at)"
        case .notAnObject: "not a JSON object; each line must be one {…}"
        case .missing(let field): "field \(field) is missing"
        case .wrongType(let field): "field \(field) has the wrong type"
        case .outOfRange(let field): "field \(field) is out of range"
        case .duplicateField(let field): "field \(field) is named twice"
        case .tooMany(let field): "too many entries in \(field)"
        case .version(let number): "format version \(number); this program reads version 1"
        case .clockSkew(let ms):
            "time is \(ms / 60_000) minutes ahead of the clock here; does one of them go wrong?"
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension DecodingInput {
    /// Reads the value at `offset` as a `T` and moves `offset` past it.
    ///
    /// The types that have a form of their own, and scalars, are read here and now; any other type
    /// gets a step for its `init(from:)`. Each `unsafeBitCast` is from the very type that `T` was
    /// just found to be. Why no function for the first half: it would return a `T?`, and looking up
    /// that type costs more than reading a number.
    func value<T: Decodable>(
        _ type: T.Type, at offset: inout Int, parent: DecodingStep?, key: Int?
    ) throws(MessagePackError) -> T {
        var reader = reader(at: offset)
        known: do throws(MessagePackError) {
            let value: T
            switch try reader.peek() {
            case .extension:
                if T.self == Date.self {
                    value = unsafeBitCast(try reader.readTimestamp().date, to: T.self)
                } else if T.self == MessagePackTimestamp.self {
                    value = unsafeBitCast(try reader.readTimestamp(), to: T.self)
                } else if T.self == MessagePackExtension.self {
                    value = unsafeBitCast(try reader.readExtension(), to: T.self)
                } else if T.self == MessagePackValue.self {
                    value = unsafeBitCast(try reader.readValue(), to: T.self)
                } else {
                    break known
                }
            case .binary:
                if T.self == [UInt8].self {
                    value = unsafeBitCast(try reader.readBinary(), to: T.self)
                } else if T.self == Data.self {
                    value = unsafeBitCast(Data(try reader.readBinaryBytes()), to: T.self)
                } else if T.self == MessagePackValue.self {
                    value = unsafeBitCast(try reader.readValue(), to: T.self)
                } else {
                    break known
                }
            case .array:
                if T.self == [Int].self {
                    value = unsafeBitCast(
                        try array(&reader) { reader throws(MessagePackError) in try reader.readInt()
                        },
                        to: T.self)
                } else if T.self == [String].self {
                    value = unsafeBitCast(
                        try array(&reader) { reader throws(MessagePackError) in
                            try reader.readString()
                        }, to: T.self)
                } else if T.self == [Double].self {
                    value = unsafeBitCast(
                        try array(&reader) { reader throws(MessagePackError) in
                            try reader.readDouble()
                        }, to: T.self)
                } else if T.self == MessagePackValue.self {
                    value = unsafeBitCast(try reader.readValue(), to: T.self)
                } else {
                    break known
                }
            case .map:
                guard T.self == MessagePackValue.self else { break known }
                value = unsafeBitCast(try reader.readValue(), to: T.self)
            default:
                if T.self == String.self {
                    value = unsafeBitCast(try reader.readString(), to: T.self)
                } else if T.self == Int.self {
                    value = unsafeBitCast(try reader.readInt(), to: T.self)
                } else if T.self == Double.self {
                    value = unsafeBitCast(try reader.readDouble(), to: T.self)
                } else if T.self == Bool.self {
                    value = unsafeBitCast(try reader.readBool(), to: T.self)
                } else if T.self == MessagePackValue.self {
                    value = unsafeBitCast(try reader.readValue(), to: T.self)
                } else if T.self == Date.self || T.self == MessagePackTimestamp.self {
                    throw reader.mismatch("a timestamp")
                } else if T.self == MessagePackExtension.self {
                    throw reader.mismatch("an extension")
                } else if T.self == URL.self {
                    value = unsafeBitCast(try url(&reader), to: T.self)
                } else {
                    break known
                }
            }
            offset = reader.position
            return value
        } catch {
            throw located(error, parent: parent, key: key)
        }
        let start = offset
        let step = try DecodingStep.make(self, at: offset, parent: parent, key: key)
        do {
            let value = try T(from: step)
            offset = try step.end()
            return value
        } catch {
            throw bridged(error, at: start, in: step)
        }
    }

    /// Reads an array of scalars; the count was checked against the bytes by the header.
    @inline(__always)
    private func array<Element>(
        _ reader: inout MessagePackReader,
        _ read: (inout MessagePackReader) throws(MessagePackError) -> Element
    ) throws(MessagePackError) -> [Element] {
        let count = try reader.readArrayHeader()
        var values: [Element] = []
        values.reserveCapacity(count)
        for index in 0..<count {
            do throws(MessagePackError) {
                values.append(try read(&reader))
            } catch {
                throw error.below([.index(index)])
            }
        }
        return values
    }

    private func url(_ reader: inout MessagePackReader) throws(MessagePackError) -> URL {
        let start = reader.position
        let text = try reader.readString()
        guard let url = URL(string: text) else {
            throw .corrupt(.init(offset: start), reason: "not a URL: \(text)")
        }
        return url
    }

    // MARK: Errors

    /// Adds the way to the value that gave `error`.
    @inline(never)
    func located(_ error: MessagePackError, parent: DecodingStep?, key: Int?) -> MessagePackError {
        error.below((parent?.path() ?? []) + (key.map { [step($0)] } ?? []))
    }

    /// Turns what an `init(from:)` threw into the one error of this module.
    private func bridged(
        _ error: any Error, at offset: Int, in step: DecodingStep
    ) -> MessagePackError {
        if let error = error as? MessagePackError { return error }
        guard let error = error as? DecodingError else {
            return .refused(.init(offset: offset, path: step.path()), by: error)
        }
        func place(_ context: DecodingError.Context) -> MessagePackError.Place {
            .init(offset: offset, path: context.codingPath.map { MessagePackError.Step($0) })
        }
        switch error {
        case .keyNotFound(let key, let context):
            return .missingKey(place(context), key: key.stringValue)
        case .valueNotFound(let type, let context):
            return .missingValue(place(context), expected: "\(type)")
        case .typeMismatch(let type, let context):
            let found = (try? reader(at: offset).peek()) ?? .null
            return .mismatch(place(context), expected: "\(type)", found: found)
        case .dataCorrupted(let context):
            return .corrupt(place(context), reason: context.debugDescription)
        @unknown default:
            return .refused(.init(offset: offset, path: step.path()), by: error)
        }
    }
}

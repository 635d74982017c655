// SPDX-License-Identifier: Apache-2.0
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One run of an encoder: the bytes so far, and the value whose `encode(to:)` is at work.
///
/// Containers write straight into one buffer. A map or array gets a header of one byte, which is
/// widened when its value is complete and turned out to hold more than 15. Values are frames on a
/// stack; a container belongs to a frame by serial number, so one that is kept too long is noticed.
/// What `nestedContainer` and `superEncoder` hand out may be filled in any order: those write into
/// sessions of their own, and are put in their place (`holes`) when the frame closes.
final class EncodingSession {
    enum Shape { case nothing, single, array, map }

    struct Frame {
        var serial: Int
        /// Where the value begins, hence its header.
        var start: Int
        var count = 0
        var shape = Shape.nothing
        /// Open maps and arrays around and including this value.
        var depth: Int
        /// Where the key of this value was written; `~index` in an array; nil for the root.
        var key: Int?
    }

    struct Hole {
        let offset: Int
        let content: EncodingSession
    }

    /// What every write touches. Why behind a pointer: the stored properties of a class are checked
    /// for overlapping access at run time, which would cost more than most of the writes.
    private struct State: ~Copyable {
        var writer: MessagePackWriter
        var frame: Frame
        var stack: [Frame] = []
        var holes: [Hole] = []
        var serials = 0
    }

    private let state: UnsafeMutablePointer<State>
    private var fault: MessagePackError?
    private let integerKeys: Bool
    let userInfo: [CodingUserInfoKey: any Sendable]
    private let prefix: [MessagePackError.Step]

    init(
        writer: consuming MessagePackWriter, integerKeys: Bool,
        userInfo: [CodingUserInfoKey: any Sendable], prefix: [MessagePackError.Step], depth: Int
    ) {
        self.integerKeys = integerKeys
        self.userInfo = userInfo
        self.prefix = prefix
        self.state = .allocate(capacity: 1)
        self.state.initialize(
            to: State(
                writer: writer, frame: Frame(serial: 0, start: 0, depth: depth, key: nil)))
    }

    deinit {
        state.deinitialize(count: 1)
        state.deallocate()
    }

    var writer: MessagePackWriter {
        @inline(__always) _read { yield state.pointee.writer }
        @inline(__always) _modify { yield &state.pointee.writer }
    }

    var frame: Frame {
        @inline(__always) _read { yield state.pointee.frame }
        @inline(__always) _modify { yield &state.pointee.frame }
    }

    private var stack: [Frame] {
        @inline(__always) _read { yield state.pointee.stack }
        @inline(__always) _modify { yield &state.pointee.stack }
    }

    private var holes: [Hole] {
        @inline(__always) _read { yield state.pointee.holes }
        @inline(__always) _modify { yield &state.pointee.holes }
    }

    /// A session for a part of the current value, to be put at the current end of the bytes.
    func part(under step: MessagePackError.Step) -> EncodingSession {
        let part = EncodingSession(
            writer: MessagePackWriter(), integerKeys: integerKeys, userInfo: userInfo,
            prefix: path() + [step], depth: frame.depth)
        holes.append(Hole(offset: writer.count, content: part))
        return part
    }

    /// A part for a container whose frame is gone: its bytes go nowhere, and the encoding fails.
    func lostPart(_ error: MessagePackError) -> EncodingSession {
        fail(error)
        let part = EncodingSession(
            writer: MessagePackWriter(), integerKeys: integerKeys, userInfo: userInfo,
            prefix: [], depth: 0)
        part.fail(error)
        return part
    }

    /// Forgets the bytes; whoever writes from now on gets an error.
    func end() {
        frame.serial = -1
        writer.returnLent()
    }

    // MARK: Values

    func encodeRoot<T: Encodable>(_ value: T) throws(MessagePackError) {
        do {
            if try writeKnown(value) { return }
            try value.encode(to: EncodingStep(session: self, serial: frame.serial))
        } catch {
            throw bridged(error)
        }
        try close()
    }

    /// Writes a value as one part of the current frame: `key` as in `Frame.key`.
    func write<T: Encodable>(_ value: T, key: Int?) throws {
        if try writeKnown(value) { return }
        let outer = frame
        stack.append(outer)
        state.pointee.serials += 1
        let serial = state.pointee.serials
        frame = Frame(serial: serial, start: writer.count, depth: outer.depth, key: key)
        do {
            try value.encode(to: EncodingStep(session: self, serial: serial))
            try close()
        } catch {
            let error = bridged(error)
            rewind(to: frame.start)
            stack.removeLast()
            frame = outer
            throw error
        }
        stack.removeLast()
        frame = outer
    }

    /// Writes the types that have a form of their own, and scalars without a container.
    ///
    /// Each `unsafeBitCast` is from `T` to the very type that `T` was just found to be.
    @inline(__always)
    private func writeKnown<T: Encodable>(_ value: T) throws(MessagePackError) -> Bool {
        if T.self == String.self {
            try write(unsafeBitCast(value, to: String.self))
        } else if T.self == Int.self {
            writer.writeInt(unsafeBitCast(value, to: Int.self))
        } else if T.self == Date.self {
            try write(unsafeBitCast(value, to: Date.self))
        } else if T.self == [UInt8].self {
            try write(unsafeBitCast(value, to: [UInt8].self))
        } else if T.self == Data.self {
            try write(unsafeBitCast(value, to: Data.self))
        } else if T.self == [Int].self {
            let values = unsafeBitCast(value, to: [Int].self)
            try openArray(values.count)
            for value in values { writer.writeInt(value) }
        } else if T.self == [String].self {
            let values = unsafeBitCast(value, to: [String].self)
            try openArray(values.count)
            for value in values { try write(value) }
        } else if T.self == [Double].self {
            let values = unsafeBitCast(value, to: [Double].self)
            try openArray(values.count)
            for value in values { writer.writeDouble(value) }
        } else if T.self == Double.self {
            writer.writeDouble(unsafeBitCast(value, to: Double.self))
        } else if T.self == Bool.self {
            writer.writeBool(unsafeBitCast(value, to: Bool.self))
        } else if T.self == MessagePackValue.self {
            do throws(MessagePackError) {
                let value = unsafeBitCast(value, to: MessagePackValue.self)
                try writer.writeValue(value, depth: frame.depth)
            } catch {
                throw error.below(path())
            }
        } else if T.self == MessagePackTimestamp.self {
            writer.writeTimestamp(unsafeBitCast(value, to: MessagePackTimestamp.self))
        } else if T.self == MessagePackExtension.self {
            writer.writeExtension(unsafeBitCast(value, to: MessagePackExtension.self))
        } else if T.self == URL.self {
            writer.writeString(unsafeBitCast(value, to: URL.self).absoluteString)
        } else {
            return false
        }
        return true
    }

    func write(_ value: String) throws(MessagePackError) {
        try checkLength(value.utf8.count)
        writer.writeString(value)
    }

    private func write(_ value: [UInt8]) throws(MessagePackError) {
        try checkLength(value.count)
        writer.writeBinary(value)
    }

    private func write(_ value: Data) throws(MessagePackError) {
        try checkLength(value.count)
        value.withUnsafeBytes { writer.writeBinary($0) }
    }

    private func write(_ value: Date) throws(MessagePackError) {
        guard let moment = MessagePackTimestamp(value) else {
            throw misuse("a date that is not finite has no timestamp")
        }
        writer.writeTimestamp(moment)
    }

    private func openArray(_ count: Int) throws(MessagePackError) {
        try checkLength(count)
        guard frame.depth < MessagePackReader.depthLimit else { throw tooDeep() }
        writer.writeArrayHeader(count)
    }

    @inline(__always)
    private func checkLength(_ length: Int) throws(MessagePackError) {
        guard length <= UInt32.max else { throw misuse("a length of 2^32 or more") }
    }

    // MARK: Frames

    /// Makes the current value a map or an array; a second call must ask for the same.
    func open(_ shape: Shape, serial: Int) {
        guard frame.serial == serial else {
            return fail(misuse("container asked for outside its encode(to:)"))
        }
        if frame.shape == shape { return }
        guard frame.shape == .nothing else {
            return fail(misuse("one value asked for containers of two kinds"))
        }
        guard frame.depth < MessagePackReader.depthLimit else { return fail(tooDeep()) }
        frame.shape = shape
        frame.depth += 1
        frame.start = writer.count
        writer.putByte(shape == .map ? 0x80 : 0x90)
    }

    @inline(__always)
    func check(_ serial: Int) throws(MessagePackError) {
        if frame.serial != serial { throw whyClosed() }
    }

    /// Writes a key of the current map and tells where it stands.
    @inline(__always)
    func writeKey(_ text: String, _ integer: @autoclosure () -> Int?) throws(MessagePackError)
        -> Int
    {
        let at = writer.count
        if integerKeys, let integer = integer(), Self.mayStand(integer, for: text) {
            writer.writeInt(integer)
        } else {
            try write(text)
        }
        return at
    }

    /// Why: `Dictionary` gives the key "01" the `intValue` 1, and it would come back as "1".
    private static func mayStand(_ integer: Int, for text: String) -> Bool {
        guard let first = text.utf8.first else { return true }
        let looksNumeric = (0x30...0x39).contains(first) || first == 0x2b || first == 0x2d
        return !looksNumeric || text == String(integer)
    }

    /// Takes back what was written from `offset` on.
    func rewind(to offset: Int) {
        writer.count = min(writer.count, offset)
        while let hole = holes.last, hole.offset >= offset { holes.removeLast() }
    }

    /// Completes the current value: parts in their places, header widened.
    func close() throws(MessagePackError) {
        if let fault { throw fault }
        switch frame.shape {
        case .single: return
        // An encode(to:) that wrote nothing is that of a type without properties.
        case .nothing: writer.putByte(0x80)
        case .map, .array:
            if let last = holes.last, last.offset >= frame.start { try fillHoles() }
            guard frame.count <= UInt32.max else { throw misuse("a count of 2^32 or more") }
            writer.closeHeader(
                at: frame.start, isMap: frame.shape == .map, count: frame.count)
        }
    }

    private func fillHoles() throws(MessagePackError) {
        let first = holes.firstIndex { $0.offset >= frame.start } ?? holes.endIndex
        guard first < holes.endIndex else { return }
        let mine = holes[first...]
        let base = holes[first].offset
        let tail = writer.withUnsafeBytes { [UInt8]($0[base...]) }
        writer.count = base
        var done = base
        for hole in mine {
            writer.append(Array(tail[(done - base)..<(hole.offset - base)]))
            done = hole.offset
            try hole.content.close()
            hole.content.writer.withUnsafeBytes { writer.append($0) }
            hole.content.end()
        }
        writer.append(Array(tail[(done - base)...]))
        holes.removeSubrange(first...)
    }

    // MARK: Errors and paths

    /// From here on nothing can be written, and the whole encoding fails with `error`.
    func fail(_ error: MessagePackError) {
        if fault == nil { fault = error }
        frame.serial = -1
    }

    func misuse(_ reason: String) -> MessagePackError {
        .unencodable(.init(offset: writer.count, path: path()), reason: reason)
    }

    private func tooDeep() -> MessagePackError {
        .tooDeep(
            .init(offset: writer.count, path: path()), limit: MessagePackReader.depthLimit)
    }

    @inline(never)
    func whyClosed() -> MessagePackError {
        fault ?? misuse("container used outside its encode(to:)")
    }

    private func bridged(_ error: any Error) -> MessagePackError {
        switch error {
        case let error as MessagePackError: return error
        case EncodingError.invalidValue(_, let context):
            let path = context.codingPath.map { MessagePackError.Step($0) }
            return .unencodable(
                .init(offset: writer.count, path: path), reason: context.debugDescription)
        default: return .refused(.init(offset: writer.count, path: path()), by: error)
        }
    }

    /// The way from the root to the current value, read back from the keys written.
    func path() -> [MessagePackError.Step] {
        var steps = prefix
        for frame in stack + [frame] {
            guard let key = frame.key else { continue }
            steps.append(step(key))
        }
        return steps
    }

    /// The step that `key` (as in `Frame.key`) stands for.
    func step(_ key: Int) -> MessagePackError.Step {
        if key < 0 { return .index(~key) }
        return writer.withUnsafeBytes { bytes in
            var reader = MessagePackReader(bytes, at: key)
            if let text = try? reader.readString() { return .key(text) }
            return .key((try? reader.readInt64()).map { String($0) } ?? "?")
        }
    }
}

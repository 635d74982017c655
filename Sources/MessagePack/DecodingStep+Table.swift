// SPDX-License-Identifier: Apache-2.0

extension DecodingStep {
    /// A map key as it stands in the bytes; two are equal when they name the same entry.
    private enum Name {
        case text(UnsafeRawBufferPointer)
        case integer(Int64)
        /// Any other value, by its bytes: a repeated one is seen if it is written alike.
        case other(UnsafeRawBufferPointer)

        var mark: UInt64 {
            switch self {
            case .text(let bytes): DecodingStep.mark(bytes)
            case .integer(let value): DecodingStep.mark(value)
            case .other(let bytes): ~DecodingStep.mark(bytes)
            }
        }

        /// Any total order will do: equal names must meet when sorted.
        func order(_ other: Name) -> Int {
            switch (self, other) {
            case (.text(let left), .text(let right)), (.other(let left), .other(let right)):
                return DecodingStep.order(left, right)
            case (.integer(let left), .integer(let right)):
                return left == right ? 0 : left < right ? -1 : 1
            default: return rank < other.rank ? -1 : 1
            }
        }

        private var rank: Int {
            switch self {
            case .text: 0
            case .integer: 1
            case .other: 2
            }
        }
    }

    /// Mixes the length with the first and the last eight bytes.
    @inline(__always)
    static func mark(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        let count = bytes.count
        var mark = UInt64(truncatingIfNeeded: count) &* 0x9e37_79b9_7f4a_7c15
        if count >= 8 {
            mark ^= bytes.loadUnaligned(as: UInt64.self)
            let last = bytes.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
            mark ^= last &* 0xff51_afd7_ed55_8ccd
        } else if count >= 4 {
            let first = UInt64(bytes.loadUnaligned(as: UInt32.self))
            let last = bytes.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
            mark ^= first << 32 | UInt64(last)
        } else if count > 0 {
            let middle = UInt64(bytes[count &>> 1])
            mark ^= UInt64(bytes[0]) << 16 | middle << 8 | UInt64(bytes[count &- 1])
        }
        return mark
    }

    @inline(__always)
    static func mark(_ integer: Int64) -> UInt64 {
        UInt64(bitPattern: integer) &* 0xc4ce_b9fe_1a85_ec53 &+ 1
    }

    static func order(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        if left.count != right.count { return left.count < right.count ? -1 : 1 }
        for (left, right) in zip(left, right) where left != right { return left < right ? -1 : 1 }
        return 0
    }

    /// Notes every entry of the map that `reader` has just opened, and refuses a repeated key.
    func fillTable(_ reader: inout MessagePackReader) throws(MessagePackError) {
        let count = state.count
        let table = withUnsafeMutablePointerToElements { $0 }
        for index in 0..<count {
            let start = reader.position
            let name = try readName(&reader)
            let mark = name.mark
            if count <= 32 {
                for earlier in 0..<index where table[earlier].mark == mark {
                    var other = input.reader(at: table[earlier].key)
                    if name.order(try readName(&other)) == 0 { throw duplicate(at: start) }
                }
            }
            (table + index).initialize(to: Entry(mark: mark, key: start, value: reader.position))
            try reader.skip(1, depth: 0)
        }
        state.end = reader.position
        if count > 32 { try checkSorted() }
        if state.hasText && state.hasIntegers { try checkMixed() }
    }

    /// Finds repeated keys of a large map in n log n, whatever the keys.
    private func checkSorted() throws(MessagePackError) {
        let table = withUnsafeMutablePointerToElements { $0 }
        let sorted = (0..<state.count).sorted { left, right in
            if table[left].mark != table[right].mark {
                return table[left].mark < table[right].mark
            }
            return order(left, right) < 0
        }
        for (left, right) in zip(sorted, sorted.dropFirst())
        where table[left].mark == table[right].mark && order(left, right) == 0 {
            throw duplicate(at: table[max(left, right)].key)
        }
    }

    private func order(_ left: Int, _ right: Int) -> Int {
        let table = withUnsafeMutablePointerToElements { $0 }
        var one = input.reader(at: table[left].key)
        var two = input.reader(at: table[right].key)
        guard let one = try? readName(&one), let two = try? readName(&two) else { return 0 }
        return one.order(two)
    }

    /// Refuses 1 beside "1": `CodingKey` takes both for the same key.
    private func checkMixed() throws(MessagePackError) {
        let table = withUnsafeMutablePointerToElements { $0 }
        var texts: Set<Int64> = []
        for index in 0..<state.count {
            var reader = input.reader(at: table[index].key)
            guard let text = try? reader.readString(), let value = Int64(text) else { continue }
            if text == String(value) { texts.insert(value) }
        }
        if texts.isEmpty { return }
        for index in 0..<state.count {
            var reader = input.reader(at: table[index].key)
            guard let value = try? reader.readInt64() else { continue }
            if texts.contains(value) { throw duplicate(at: table[index].key) }
        }
    }

    private func duplicate(at key: Int) -> MessagePackError {
        let place = MessagePackError.Place(offset: key)
        return .duplicateKey(place, key: input.step(key).stringValue)
    }

    /// Reads a key and notes its kind in the state.
    @inline(__always)
    private func readName(_ reader: inout MessagePackReader) throws(MessagePackError) -> Name {
        let start = reader.position
        switch try reader.peek() {
        case .string:
            let text = try reader.readStringBytes()
            guard MessagePackReader.isASCII(text) || String(validating: text, as: UTF8.self) != nil
            else { throw .invalidText(.init(offset: start)) }
            state.hasText = true
            return .text(text)
        case .integer:
            if let value = try? reader.readInt64() {
                state.hasIntegers = true
                return .integer(value)
            }
            reader.position = start
            fallthrough
        default:
            if state.strangeKey == nil {
                state.strangeKey = (start, try reader.peek())
            }
            try reader.skip(1, depth: 0)
            return .other(
                UnsafeRawBufferPointer(rebasing: input.bytes[start..<reader.position]))
        }
    }

    // MARK: Asking

    /// The entry under a key; the cursor is left on it.
    ///
    /// `integer` is asked for only when the map has integer keys.
    @inline(__always)
    func find(_ text: String, _ integer: @autoclosure () -> Int?) -> Entry? {
        let table = withUnsafeMutablePointerToElements { $0 }
        let cursor = state.cursor
        var text = text
        if state.hasText {
            let found: Int? = text.withUTF8 { wanted in
                let wanted = UnsafeRawBufferPointer(wanted)
                if cursor < state.count, isText(wanted, at: table[cursor].key) { return cursor }
                return search(DecodingStep.mark(wanted)) { isText(wanted, at: $0) }
            }
            if let found {
                state.cursor = found
                return table[found]
            }
        }
        if state.hasIntegers, let integer = integer() {
            let wanted = Int64(integer)
            if let found = search(DecodingStep.mark(wanted), { isInteger(wanted, at: $0) }) {
                state.cursor = found
                return table[found]
            }
        }
        return nil
    }

    /// Looks from the cursor round to it for an entry of that mark which `matches`.
    @inline(__always)
    private func search(_ mark: UInt64, _ matches: (Int) -> Bool) -> Int? {
        let table = withUnsafeMutablePointerToElements { $0 }
        let count = state.count
        let cursor = state.cursor
        for index in cursor..<max(count, cursor) where table[index].mark == mark {
            if matches(table[index].key) { return index }
        }
        for index in 0..<min(cursor, count) where table[index].mark == mark {
            if matches(table[index].key) { return index }
        }
        return nil
    }

    @inline(__always)
    private func isText(_ wanted: UnsafeRawBufferPointer, at key: Int) -> Bool {
        var reader = input.reader(at: key)
        guard let found = try? reader.readStringBytes(), found.count == wanted.count else {
            return false
        }
        var index = 0
        while index &+ 8 <= found.count {
            let left = found.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            if left != wanted.loadUnaligned(fromByteOffset: index, as: UInt64.self) {
                return false
            }
            index &+= 8
        }
        while index < found.count {
            if found[index] != wanted[index] { return false }
            index &+= 1
        }
        return true
    }

    private func isInteger(_ wanted: Int64, at key: Int) -> Bool {
        var reader = input.reader(at: key)
        return (try? reader.readInt64()) == wanted
    }
}

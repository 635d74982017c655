// SPDX-License-Identifier: Apache-2.0

/// Turns the bytes of one line into a reading, or into the reason why it is none.
///
/// Pure: the same bytes give the same answer. Cost is linear in the line; at most
/// `Reading.maxLine` bytes are looked at.
package enum ReadingParser {
    /// Parses one line, with or without its `\n`.
    ///
    /// - Throws: the first thing found wrong, from left to right; missing fields last.
    package static func parse(_ line: UnsafeRawBufferPointer) throws(RejectReason) -> Reading {
        guard line.count <= Reading.maxLine + 1 else { throw .tooLong(bytes: line.count) }
        var line = line
        if line.last == 0x0A { line = UnsafeRawBufferPointer(rebasing: line.dropLast()) }
        guard line.count <= Reading.maxLine else { throw .tooLong(bytes: line.count) }
        guard isUTF8(line) else { throw .notUTF8 }
        var scanner = JSONScanner(line)
        scanner.skipSpace()
        guard scanner.at < line.count else { throw .empty }
        guard try scanner.kind() == .object else { throw .notAnObject }
        let reading = try reading(&scanner)
        scanner.skipSpace()
        guard scanner.at == line.count else { throw .notJSON(at: scanner.at) }
        return reading
    }

    package static func parse(_ line: [UInt8]) throws(RejectReason) -> Reading {
        let result = line.withUnsafeBytes { bytes -> Result<Reading, RejectReason> in
            do throws(RejectReason) { return .success(try parse(bytes)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func reading(_ scanner: inout JSONScanner) throws(RejectReason) -> Reading {
        var fields = FieldNames()
        var isFirst = true
        var version: Int?
        var device: String?
        var time: Instant?
        var supplies: [Supply]?
        var counters: [Reading.Counter]?
        var reading = Reading(device: "", time: Instant(ms: 0))
        while let name = try scanner.field(isFirst: &isFirst) {
            try fields.add(name, in: scanner)
            // Why before all else: `null` = absent, whatever the field.
            if try scanner.kind() == .null {
                try scanner.word()
                continue
            }
            switch Field(name, scanner) {
            case .v:
                let number = try integer(&scanner, "v", 0...Int.max)
                guard number == 1 else { throw .version(number) }
                version = number
            case .device:
                let text = try string(&scanner, "device")
                guard isName(text) else { throw .outOfRange("device") }
                device = text
            case .time:
                guard try scanner.kind() == .string else { throw .wrongType("time") }
                let (range, _) = try scanner.string()
                let bytes = UnsafeRawBufferPointer(rebasing: scanner.bytes[range])
                guard let read = Instant(bytes) else { throw .outOfRange("time") }
                time = read
            case .serial: reading.serial = try string(&scanner, "serial")
            case .model: reading.model = try string(&scanner, "model")
            case .supplies: supplies = try self.supplies(&scanner)
            case .counters: counters = try self.counters(&scanner)
            case .meters: reading.meters = try meters(&scanner)
            default: try scanner.skip()
            }
        }
        guard version != nil else { throw .missing("v") }
        guard let device else { throw .missing("device") }
        guard let time else { throw .missing("time") }
        guard let supplies else { throw .missing("supplies") }
        guard let counters else { throw .missing("counters") }
        reading.device = device
        reading.time = time
        reading.supplies = supplies
        reading.counters = counters
        return reading
    }

    private static func counters(
        _ scanner: inout JSONScanner
    ) throws(RejectReason) -> [Reading.Counter] {
        guard try scanner.kind() == .object else { throw .wrongType("counters") }
        var fields = FieldNames()
        var isFirst = true
        var counters: [Reading.Counter] = []
        while let name = try scanner.field(isFirst: &isFirst) {
            try fields.add(name, in: scanner)
            if try scanner.kind() == .null {
                try scanner.word()
                continue
            }
            let text = try self.name(name, scanner)
            let value = try integer(&scanner, "counters.\(text)", 0...Int.max)
            guard counters.count < Reading.maxCounters else { throw .tooMany("counters") }
            counters.append(Reading.Counter(name: text, value: value))
        }
        return counters
    }

    private static func meters(
        _ scanner: inout JSONScanner
    ) throws(RejectReason) -> [Reading.Meter] {
        guard try scanner.kind() == .object else { throw .wrongType("meters") }
        var fields = FieldNames()
        var isFirst = true
        var meters: [Reading.Meter] = []
        meters.reserveCapacity(32)
        while let name = try scanner.field(isFirst: &isFirst) {
            try fields.add(name, in: scanner)
            let kind = try scanner.kind()
            if kind == .null {
                try scanner.word()
                continue
            }
            let text = try self.name(name, scanner)
            guard kind == .number else { throw .wrongType("meters.\(text)") }
            guard meters.count < Reading.maxMeters else { throw .tooMany("meters") }
            switch try scanner.number() {
            case .integer(let value): meters.append(.init(name: text, value: Double(value)))
            case .fraction(let value): meters.append(.init(name: text, value: value))
            case .tooLarge: throw .outOfRange("meters.\(text)")
            }
        }
        return meters
    }

    /// A name of a counter or meter, short enough to carry.
    private static func name(
        _ name: JSONScanner.Name, _ scanner: JSONScanner
    ) throws(RejectReason) -> String {
        guard let text = scanner.text(name.range, isEscaped: name.isEscaped) else {
            throw .notJSON(at: name.range.lowerBound)
        }
        guard text.utf8.count <= 128 else { throw .outOfRange("a name of over 128 bytes") }
        return text
    }

    static func integer(
        _ scanner: inout JSONScanner, _ field: @autoclosure () -> String, _ range: ClosedRange<Int>
    ) throws(RejectReason) -> Int {
        guard try scanner.kind() == .number else { throw .wrongType(field()) }
        switch try scanner.number() {
        case .integer(let value):
            guard range.contains(value) else { throw .outOfRange(field()) }
            return value
        case .tooLarge: throw .outOfRange(field())
        case .fraction: throw .wrongType(field())
        }
    }

    static func string(
        _ scanner: inout JSONScanner, _ field: @autoclosure () -> String
    ) throws(RejectReason) -> String {
        guard try scanner.kind() == .string else { throw .wrongType(field()) }
        let (range, isEscaped) = try scanner.string()
        guard let text = scanner.text(range, isEscaped: isEscaped) else {
            throw .notJSON(at: range.lowerBound)
        }
        guard text.utf8.count <= 1024 else { throw .outOfRange(field()) }
        return text
    }

    private static func isName(_ text: String) -> Bool {
        guard (1...128).contains(text.utf8.count) else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2E, 0x5F, 0x3A, 0x2D: true
            default: false
            }
        }
    }

    /// Why two ways: nearly every line is ASCII, and eight bytes at a time say so.
    private static func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var at = 0
        var seen: UInt64 = 0
        while at + 8 <= bytes.count {
            seen |= bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            at += 8
        }
        while at < bytes.count {
            seen |= UInt64(bytes[at])
            at += 1
        }
        if seen & 0x8080_8080_8080_8080 == 0 { return true }
        return String(validating: bytes, as: UTF8.self) != nil
    }
}

// SPDX-License-Identifier: Apache-2.0

extension ReadingParser {
    static func supplies(_ scanner: inout JSONScanner) throws(RejectReason) -> [Supply] {
        guard try scanner.kind() == .array else { throw .wrongType("supplies") }
        scanner.at += 1
        scanner.skipSpace()
        var supplies: [Supply] = []
        if try scanner.peek() == 0x5D {
            scanner.at += 1
            return supplies
        }
        while true {
            scanner.skipSpace()
            guard try scanner.kind() == .object else { throw .wrongType("supplies") }
            guard supplies.count < Reading.maxSupplies else { throw .tooMany("supplies") }
            let one = try supply(&scanner)
            for other in supplies where other.index == one.index {
                throw .duplicateField("supplies.index \(one.index)")
            }
            supplies.append(one)
            scanner.skipSpace()
            if try scanner.peek() == 0x2C {
                scanner.at += 1
            } else {
                try scanner.expect(0x5D)
                return supplies
            }
        }
    }

    private static func supply(_ scanner: inout JSONScanner) throws(RejectReason) -> Supply {
        var fields = FieldNames()
        var isFirst = true
        var supply = Supply(index: 0, level: -2, capacity: -2, unit: 0)
        var seen = (index: false, level: false)
        while let name = try scanner.field(isFirst: &isFirst) {
            try fields.add(name, in: scanner)
            if try scanner.kind() == .null {
                try scanner.word()
                continue
            }
            switch Field(name, scanner) {
            case .index:
                supply.index = try integer(&scanner, "supplies.index", 1...Int(Int32.max))
                seen.index = true
            case .level:
                supply.level = try integer(&scanner, "supplies.level", -3...Int.max)
                seen.level = true
            case .capacity:
                supply.capacity = try integer(&scanner, "supplies.capacity", -2...Int.max)
                guard supply.capacity != 0 else { throw .outOfRange("supplies.capacity") }
            case .unit: supply.unit = try integer(&scanner, "supplies.unit", 0...Int(Int32.max))
            case .serial: supply.serial = try string(&scanner, "supplies.serial")
            case .part: supply.part = try string(&scanner, "supplies.part")
            case .color: supply.color = try word(&scanner, "supplies.color", Supply.Color.named)
            case .kind: supply.kind = try word(&scanner, "supplies.kind", Supply.Kind.named)
            case .class: supply.class = try word(&scanner, "supplies.class", Supply.Class.named)
            case .state:
                supply.condition = try word(&scanner, "supplies.state", Supply.Condition.named)
            default: try scanner.skip()
            }
        }
        guard seen.index else { throw .missing("supplies.index") }
        guard seen.level else { throw .missing("supplies.level") }
        return supply
    }

    private static func word<Word>(
        _ scanner: inout JSONScanner, _ field: String, _ named: (String) -> Word?
    ) throws(RejectReason) -> Word {
        guard let word = named(try string(&scanner, field)) else { throw .outOfRange(field) }
        return word
    }
}

/// The field names the format knows; all others are passed over.
enum Field: UInt8 {
    case v, device, time, serial, model, supplies, counters, meters
    case index, color, kind, `class`, level, capacity, unit, part, state
    case unknown

    init(_ name: JSONScanner.Name, _ scanner: JSONScanner) {
        if name.isEscaped {
            var text = scanner.text(name.range, isEscaped: true) ?? ""
            self = text.withUTF8 { Field(UnsafeRawBufferPointer($0)) }
        } else {
            self = Field(UnsafeRawBufferPointer(rebasing: scanner.bytes[name.range]))
        }
    }

    private init(_ bytes: UnsafeRawBufferPointer) {
        func match(_ word: StaticString, _ field: Field) -> Field {
            guard word.utf8CodeUnitCount == bytes.count else { return .unknown }
            for at in 0..<bytes.count where bytes[at] != word.utf8Start[at] { return .unknown }
            return field
        }
        guard let first = bytes.first else {
            self = .unknown
            return
        }
        switch (first, bytes.count) {
        case (0x76, 1): self = .v
        case (0x64, 6): self = match("device", .device)
        case (0x74, 4): self = match("time", .time)
        case (0x73, 6): self = match("serial", .serial)
        case (0x6D, 5): self = match("model", .model)
        case (0x73, 8): self = match("supplies", .supplies)
        case (0x63, 8):
            let field = match("counters", .counters)
            self = field == .unknown ? match("capacity", .capacity) : field
        case (0x6D, 6): self = match("meters", .meters)
        case (0x69, 5): self = match("index", .index)
        case (0x63, 5):
            let field = match("color", .color)
            self = field == .unknown ? match("class", .class) : field
        case (0x6B, 4): self = match("kind", .kind)
        case (0x6C, 5): self = match("level", .level)
        case (0x75, 4): self = match("unit", .unit)
        case (0x70, 4): self = match("part", .part)
        case (0x73, 5): self = match("state", .state)
        default: self = .unknown
        }
    }
}

extension Supply.Kind {
    static func named(_ text: String) -> Self? {
        allCases.first { $0.text == text }
    }

    package var text: String {
        switch self {
        case .toner: "toner"
        case .ink: "ink"
        case .drum: "drum"
        case .waste: "waste"
        case .fuser: "fuser"
        case .kit: "kit"
        case .other: "other"
        }
    }
}

extension Supply.Color {
    static func named(_ text: String) -> Self? { allCases.first { $0.text == text } }

    package var text: String {
        switch self {
        case .black: "black"
        case .cyan: "cyan"
        case .magenta: "magenta"
        case .yellow: "yellow"
        case .none: "none"
        }
    }
}

extension Supply.Class {
    static func named(_ text: String) -> Self? { allCases.first { $0.text == text } }

    package var text: String { self == .consumed ? "consumed" : "filled" }
}

extension Supply.Condition {
    static func named(_ text: String) -> Self? { allCases.first { $0.text == text } }

    package var text: String {
        switch self {
        case .ok: "ok"
        case .low: "low"
        case .empty: "empty"
        }
    }
}

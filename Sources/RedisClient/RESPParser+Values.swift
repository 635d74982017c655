// SPDX-License-Identifier: Apache-2.0

extension RESPParser {
    /// Reads a length or count; nil for RESP2's `-1` where that means null.
    ///
    /// Strict on purpose: no plus sign, no leading zero, at most ten digits. A server writes none of
    /// these, so whoever does is not a server we can follow.
    static func length(
        _ span: Span<UInt8>, _ start: Int, _ end: Int, null: Bool
    ) throws(RESPError) -> Int? {
        let digits = end - start
        guard digits > 0, digits <= 10 else { throw .badLength }
        if span[start] == 0x2D {  // -
            guard null, digits == 2, span[start + 1] == 0x31 else { throw .badLength }
            return nil
        }
        guard digits == 1 || span[start] != 0x30 else { throw .badLength }
        var value = 0
        for at in start..<end {
            let digit = span[at] &- 0x30
            guard digit <= 9 else { throw .badLength }
            value = value * 10 + Int(digit)
        }
        return value
    }

    /// Reads a value that is one line, type byte already taken.
    func scalar(
        _ type: UInt8, _ span: Span<UInt8>, _ start: Int, _ end: Int
    ) throws(RESPError) -> Node {
        switch type {
        case 0x2B: return Node(kind: .simple, start: start - base, end: end - base)  // +
        case 0x2D: return Node(kind: .error, start: start - base, end: end - base)  // -
        case 0x3A:  // :
            guard let value = Self.integer(span, start, end) else { throw .badScalar }
            return Node(kind: .integer, start: value, end: 0)
        case 0x5F:  // _
            guard start == end else { throw .badScalar }
            return Node(kind: .null, start: 0, end: 0)
        case 0x23:  // #
            guard end - start == 1, span[start] == 0x74 || span[start] == 0x66 else {
                throw .badScalar
            }
            return Node(kind: .bool, start: span[start] == 0x74 ? 1 : 0, end: 0)
        case 0x2C:  // ,
            guard let value = double(start, end) else { throw .badScalar }
            return Node(kind: .double, start: Int(bitPattern: UInt(value.bitPattern)), end: 0)
        case 0x28:  // (
            let from = start < end && span[start] == 0x2D ? start + 1 : start
            guard from < end else { throw .badScalar }
            for at in from..<end where span[at] &- 0x30 > 9 { throw .badScalar }
            return Node(kind: .bigNumber, start: start - base, end: end - base)
        default: throw .unknownType(type)
        }
    }

    /// A signed 64-bit decimal, or nil when it is not one or does not fit.
    private static func integer(_ span: Span<UInt8>, _ start: Int, _ end: Int) -> Int? {
        guard start < end else { return nil }
        let negative = span[start] == 0x2D
        let from = negative || span[start] == 0x2B ? start + 1 : start
        guard from < end else { return nil }
        var value = 0  // Why: counts down, because the most negative one has no positive twin.
        for at in from..<end {
            let digit = span[at] &- 0x30
            guard digit <= 9 else { return nil }
            let (product, over) = value.multipliedReportingOverflow(by: 10)
            let (difference, under) = product.subtractingReportingOverflow(Int(digit))
            guard !over, !under else { return nil }
            value = difference
        }
        if negative { return value }
        return value == .min ? nil : -value
    }

    private func double(_ start: Int, _ end: Int) -> Double? {
        let text = buffer[start..<end]
        guard text.count <= 64 else { return nil }
        switch String(decoding: text, as: UTF8.self) {
        case "inf", "+inf": return .infinity
        case "-inf": return -.infinity
        case "nan", "-nan": return .nan
        case let word:
            // Swift would also read hexadecimal and names that the protocol does not have.
            for byte in text where byte &- 0x30 > 9 {
                guard [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains(byte) else { return nil }
            }
            return Double(word)
        }
    }

    /// Turns the nodes of a complete reply into a value whose strings are slices of the buffer.
    func build() -> RESPValue {
        var index = 0
        return value(&index)
    }

    // Recurses at most `limits.depth` deep.
    private func value(_ index: inout Int) -> RESPValue {
        let node = nodes[index]
        index += 1
        switch node.kind {
        case .null: return .null
        case .integer: return .integer(node.start)
        case .double: return .double(Double(bitPattern: UInt64(UInt(bitPattern: node.start))))
        case .bool: return .bool(node.start == 1)
        case .bulk: return .bulk(slice(node))
        case .simple: return .simpleString(slice(node))
        case .error: return .error(slice(node))
        case .bigNumber: return .bigNumber(slice(node))
        case .verbatim: return .verbatim(slice(node))
        case .array: return .array(values(node.start, &index))
        case .map: return .map(values(node.start, &index))
        case .set: return .set(values(node.start, &index))
        case .push: return .push(values(node.start, &index))
        }
    }

    private func values(_ count: Int, _ index: inout Int) -> [RESPValue] {
        var result: [RESPValue] = []
        result.reserveCapacity(count)  // all of them are here already
        for _ in 0..<count { result.append(value(&index)) }
        return result
    }

    private func slice(_ node: Node) -> ArraySlice<UInt8> {
        buffer[base + node.start..<base + node.end]
    }
}

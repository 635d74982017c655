// SPDX-License-Identifier: Apache-2.0

extension Reading {
    /// The version byte that packed readings begin with.
    package static let packedVersion: UInt8 = 1

    /// The reading as bytes for a stream: version byte, then its fields in a fixed order.
    ///
    /// - Parameter meters: whether the further meters travel too. The analysis does not use them, so
    ///   a window without them is a fraction of the size.
    package func packed(meters keepsMeters: Bool = true) -> [UInt8] {
        var out = ByteWriter()
        out.byte(Self.packedVersion)
        out.text(device)
        out.integer(Int(time.ms))
        out.optional(serial)
        out.optional(model)
        out.count(UInt64(supplies.count))
        for supply in supplies {
            out.integer(supply.index)
            // Three small fields in a byte: color 3 bits, kind 3, class 1.
            out.byte(supply.color.rawValue | supply.kind.rawValue << 3 | supply.class.rawValue << 6)
            out.byte(supply.condition.map { $0.rawValue + 1 } ?? 0)
            out.integer(supply.level)
            out.integer(supply.capacity)
            out.integer(supply.unit)
            out.optional(supply.serial)
            out.optional(supply.part)
        }
        out.count(UInt64(counters.count))
        for counter in counters {
            out.text(counter.name)
            out.integer(counter.value)
        }
        out.count(UInt64(keepsMeters ? meters.count : 0))
        if keepsMeters {
            for meter in meters {
                out.text(meter.name)
                out.double(meter.value)
            }
        }
        return out.bytes
    }

    /// Reads packed bytes.
    ///
    /// - Throws: `PackedError`; of a version this build does not know, the bytes are to be kept.
    package init(packed bytes: [UInt8]) throws(PackedError) {
        self = try unpacking(bytes) { input throws(PackedError) in try Reading(from: &input) }
    }

    /// Reads no more than whose reading the bytes are.
    package static func device(ofPacked bytes: [UInt8]) throws(PackedError) -> String {
        let result = bytes.withUnsafeBytes { raw -> Result<String, PackedError> in
            do throws(PackedError) {
                var input = ByteReader(raw)
                let version = try input.byte()
                guard version == packedVersion else { throw .version(version) }
                return .success(try input.text())
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    private init(from input: inout ByteReader) throws(PackedError) {
        let version = try input.byte()
        guard version == Self.packedVersion else { throw .version(version) }
        let device = try input.text()
        let time = try input.integer()
        let serial = try input.optional()
        let model = try input.optional()
        self.init(device: device, time: Instant(ms: Int64(time)), serial: serial, model: model)
        for _ in 0..<(try input.length(limit: Self.maxSupplies)) {
            let index = try input.integer()
            let packed = try input.byte()
            let condition = try input.byte()
            guard let color = Supply.Color(rawValue: packed & 7),
                let kind = Supply.Kind(rawValue: packed >> 3 & 7),
                let `class` = Supply.Class(rawValue: packed >> 6),
                condition == 0 || Supply.Condition(rawValue: condition - 1) != nil
            else { throw .malformed(at: input.at) }
            supplies.append(
                Supply(
                    index: index, color: color, kind: kind, class: `class`,
                    level: try input.integer(), capacity: try input.integer(),
                    unit: try input.integer(), serial: try input.optional(),
                    part: try input.optional(),
                    condition: condition == 0 ? nil : Supply.Condition(rawValue: condition - 1)))
        }
        for _ in 0..<(try input.length(limit: Self.maxCounters)) {
            counters.append(Counter(name: try input.text(), value: try input.integer()))
        }
        let count = try input.length(limit: Self.maxMeters)
        meters.reserveCapacity(count)
        for _ in 0..<count {
            meters.append(Meter(name: try input.text(), value: try input.double()))
        }
    }
}

extension Reading: Codable {
    /// One string of packed bytes, so that any coder carries a reading compactly.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(packed())
    }

    package init(from decoder: any Decoder) throws {
        try self.init(packed: decoder.singleValueContainer().decode([UInt8].self))
    }
}

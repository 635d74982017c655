// SPDX-License-Identifier: Apache-2.0

extension DeviceState {
    /// The version byte that packed states begin with.
    package static let packedVersion: UInt8 = 1

    /// The state as bytes. Lossless: a state that was packed and unpacked between two readings gives
    /// the same forecasts, to the bit, as one that stayed in memory.
    package func packed() -> [UInt8] {
        var out = ByteWriter()
        out.byte(Self.packedVersion)
        out.count(readings)
        out.double(firstDay)
        out.integer(Int(lastTime.ms))
        out.double(interval)
        out.fixed(serial)
        out.integer(total.map { $0 } ?? -1)
        out.double(totalDay)
        out.double(pages)
        out.byte(countsPages ? 1 : 0)
        out.double(movedDay)
        out.byte(flags)
        out.double(jumpDay)
        out.count(late)
        out.count(duplicates)
        for day in 0..<7 {
            out.double(week.usage[day])
            out.double(week.days[day])
            out.double(week.share[day])
        }
        use.write(to: &out)
        out.count(UInt64(supplies.count))
        for supply in supplies { supply.write(to: &out) }
        return out.bytes
    }

    /// - Throws: `PackedError`; of a version this build does not know, the bytes are to be kept.
    package init(packed bytes: [UInt8]) throws(PackedError) {
        self = try unpacking(bytes) { input throws(PackedError) in try DeviceState(from: &input) }
    }

    private init(from input: inout ByteReader) throws(PackedError) {
        self.init()
        let version = try input.byte()
        guard version == Self.packedVersion else { throw .version(version) }
        readings = try input.count()
        firstDay = try input.double()
        lastTime = Instant(ms: Int64(try input.integer()))
        interval = try input.double()
        serial = try input.fixed()
        let count = try input.integer()
        total = count < 0 ? nil : count
        totalDay = try input.double()
        pages = try input.double()
        countsPages = try input.byte() == 1
        movedDay = try input.double()
        flags = try input.byte()
        jumpDay = try input.double()
        late = try input.count()
        duplicates = try input.count()
        var week = (usage: [Double](), days: [Double](), share: [Double]())
        for _ in 0..<7 {
            week.usage.append(try input.double())
            week.days.append(try input.double())
            week.share.append(try input.double())
        }
        self.week = WeekProfile(usage: week.usage, days: week.days, share: week.share)
        use = try UsageModel(from: &input)
        for _ in 0..<(try input.length(limit: 4096)) {
            supplies.append(try SupplyState(from: &input))
        }
    }
}

extension DeviceState: Codable {
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(packed())
    }

    package init(from decoder: any Decoder) throws {
        try self.init(packed: decoder.singleValueContainer().decode([UInt8].self))
    }
}

extension UsageModel {
    func write(to out: inout ByteWriter) {
        for value in [
            chunkUsage, chunkExposure, chunkStart, quietUsage, quietExposure, noise, noiseWeight,
            days, changes, settled,
        ] { out.double(value) }
        out.count(UInt64(hypotheses.count))
        for one in hypotheses {
            out.double(one.since)
            out.double(one.weight)
            out.double(one.shape)
            out.double(one.scale)
        }
    }

    init(from input: inout ByteReader) throws(PackedError) {
        chunkUsage = try input.double()
        chunkExposure = try input.double()
        chunkStart = try input.double()
        quietUsage = try input.double()
        quietExposure = try input.double()
        noise = try input.double()
        noiseWeight = try input.double()
        days = try input.double()
        changes = try input.double()
        settled = try input.double()
        for _ in 0..<(try input.length(limit: Self.limit)) {
            hypotheses.append(
                Hypothesis(
                    since: try input.double(), weight: try input.double(),
                    shape: try input.double(), scale: try input.double()))
        }
    }
}

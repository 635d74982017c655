// SPDX-License-Identifier: Apache-2.0

extension SupplyState {
    func write(to out: inout ByteWriter) {
        out.integer(index)
        out.byte(color.rawValue)
        out.count(UInt64(evidence.changes))
        for miss in evidence.misses { out.count(UInt64(miss)) }
        for weight in evidence.rounding { out.double(weight) }
        out.integer(capacity)
        out.fixed(serial)
        out.count(UInt64(number))
        for value in [
            startDay, startUsage, startLevel, startGap, reading, level, lastDay, lastUsage,
            edgeUsage, edgeDay, dropAll, usageAll, drop, usage, sumsDay, oldLevel,
        ] { out.double(value) }
        out.fixed(oldSerial)
        let marks: [UInt8] = [
            isFresh ? 1 : 0, edge == nil ? 0 : 2, rise == nil ? 0 : 4, fall == nil ? 0 : 8,
        ]
        out.byte(marks.reduce(0, |))
        if let edge { out.double(edge) }
        rise?.write(to: &out)
        fall?.write(to: &out)
        out.count(UInt64(yields.count))
        for yield in yields { out.double(yield) }
        out.byte(condition)
        out.count(UInt64(alert.cartridge))
        out.byte(alert.streak)
        out.byte(flags)
        out.byte(emptyUse)
        out.byte(emptyRest)
    }

    init(from input: inout ByteReader) throws(PackedError) {
        self.init(index: try input.integer())
        guard let color = Supply.Color(rawValue: try input.byte()) else {
            throw .malformed(at: input.at)
        }
        self.color = color
        evidence.changes = UInt32(truncatingIfNeeded: try input.count())
        for at in evidence.misses.indices {
            evidence.misses[at] = UInt16(truncatingIfNeeded: try input.count())
        }
        for at in 0..<3 { evidence.rounding[at] = try input.double() }
        capacity = try input.integer()
        serial = try input.fixed()
        number = UInt32(truncatingIfNeeded: try input.count())
        startDay = try input.double()
        startUsage = try input.double()
        startLevel = try input.double()
        startGap = try input.double()
        reading = try input.double()
        level = try input.double()
        lastDay = try input.double()
        lastUsage = try input.double()
        edgeUsage = try input.double()
        edgeDay = try input.double()
        dropAll = try input.double()
        usageAll = try input.double()
        drop = try input.double()
        usage = try input.double()
        sumsDay = try input.double()
        oldLevel = try input.double()
        oldSerial = try input.fixed()
        let marks = try input.byte()
        isFresh = marks & 1 != 0
        if marks & 2 != 0 { edge = try input.double() }
        if marks & 4 != 0 { rise = try Pending(from: &input) }
        if marks & 8 != 0 { fall = try Pending(from: &input) }
        for _ in 0..<(try input.length(limit: 8)) { yields.append(try input.double()) }
        condition = try input.byte()
        alert.cartridge = UInt32(truncatingIfNeeded: try input.count())
        alert.streak = min(250, try input.byte())
        flags = try input.byte()
        emptyUse = min(200, try input.byte())
        emptyRest = min(200, try input.byte())
    }
}

extension SupplyState.Pending {
    func write(to out: inout ByteWriter) {
        for value in [level, day, usage, usageBefore, dayBefore] { out.double(value) }
        out.fixed(serial)
        out.byte((isSuspicious ? 1 : 0) | (isTaken ? 2 : 0))
    }

    init(from input: inout ByteReader) throws(PackedError) {
        level = try input.double()
        day = try input.double()
        usage = try input.double()
        usageBefore = try input.double()
        dayBefore = try input.double()
        serial = try input.fixed()
        let marks = try input.byte()
        isSuspicious = marks & 1 != 0
        isTaken = marks & 2 != 0
    }
}

// SPDX-License-Identifier: Apache-2.0
import PrintFleet
import Testing

@Suite struct `Reading parser` {
    static let good = """
        {"v":1,"device":"d-000123","time":"2026-11-22T08:30:00.000Z","serial":"VNB3K01234","model":"m-7",\
        "supplies":[{"index":1,"color":"black","kind":"toner","class":"consumed","level":43,\
        "capacity":100,"unit":19,"serial":"C-99801","part":"TN-1"}],\
        "counters":{"total":120345,"mono":90210,"color":30135},\
        "meters":{"fuser.count":81234,"temp.c":41.5}}
        """

    private func parse(_ text: String) throws(RejectReason) -> Reading {
        try ReadingParser.parse(Array(text.utf8))
    }

    private func reason(_ text: String) -> RejectReason? { reason(Array(text.utf8)) }

    private func reason(_ bytes: [UInt8]) -> RejectReason? {
        do throws(RejectReason) {
            _ = try ReadingParser.parse(bytes)
            return nil
        } catch { return error }
    }

    private func with(_ old: String, _ new: String) -> String {
        guard let range = Self.good.firstRange(of: old) else { return "" }
        var text = Self.good
        text.replaceSubrange(range, with: new)
        return text
    }

    @Test func `a good line becomes a reading`() throws {
        let reading = try parse(Self.good + "\n")
        #expect(reading.device == "d-000123")
        #expect(reading.time.text == "2026-11-22T08:30:00.000Z")
        #expect(reading.supplies.first?.percent == 43)
        #expect(reading.supplies.first?.serial == "C-99801")
        #expect(reading.total == 120345)
        #expect(reading.meters.map(\.value) == [81234, 41.5])
    }

    @Test func `a reading over an hour ahead of its arrival is refused with how far`() throws {
        let time = try #require(Instant("2026-11-22T08:30:00.000Z"))
        func reason(arrivedAt ms: Int64) -> RejectReason? {
            Array(Self.good.utf8).withUnsafeBytes { bytes in
                do throws(RejectReason) {
                    _ = try ReadingParser.parse(bytes, arrivedAt: Instant(ms: time.ms + ms))
                    return nil
                } catch { return error }
            }
        }
        #expect(reason(arrivedAt: 0) == nil)
        #expect(reason(arrivedAt: -3_600_000) == nil)
        #expect(reason(arrivedAt: -3_600_001) == .clockSkew(ahead: 3_600_001))
        #expect(reason(arrivedAt: -3_600_001)?.code == "clock_skew")
        #expect(reason(arrivedAt: 900 * 86_400_000) == nil)
    }

    @Test func `a reading packs and unpacks to itself`() throws {
        let reading = try parse(Self.good)
        let packed = reading.packed()
        #expect(try Reading(packed: packed) == reading)
        #expect(try Reading(packed: reading.packed(meters: false)).meters.isEmpty)
        for end in 0..<packed.count {
            #expect(throws: PackedError.self) { try Reading(packed: Array(packed[..<end])) }
        }
        #expect(throws: PackedError.version(9)) {
            try Reading(packed: [9] + packed.dropFirst())
        }
    }

    @Test func `written lines read back as the same readings`() throws {
        var recipe = FleetRecipe(devices: 1, days: 60, seed: 5)
        recipe.meters = 8
        recipe.addExtras()
        for reading in FleetGenerator.readings(recipe, device: 0) {
            var json = JSONWriter()
            reading.write(to: &json)
            #expect(try ReadingParser.parse(json.bytes) == reading)
        }
    }

    @Test func `what is not JSON is refused with the place`() {
        for text in [
            "hello", "{", "{\"v\":1,}", "{\"v\" 1}", "{'v':1}", "{\"v\":01}", Self.good + "x",
        ] {
            guard case .notJSON = reason(text) else {
                Issue.record("\(text): \(String(describing: reason(text)))")
                continue
            }
        }
        #expect(reason("") == .empty)
        #expect(reason("   \n") == .empty)
        #expect(reason("[1]") == .notAnObject)
    }

    @Test func `a line cut at any byte is refused`() {
        let bytes = Array(Self.good.utf8)
        for end in 0..<bytes.count { #expect(reason(Array(bytes[..<end])) != nil) }
    }

    @Test func `a changed byte is refused or read but never traps`() {
        let bytes = Array(Self.good.utf8)
        for at in bytes.indices {
            for byte in [0, 0x22, 0x5C, 0x7B, 0x7D, 0x80, 0xFF] as [UInt8] {
                var broken = bytes
                broken[at] = byte
                _ = reason(broken)
            }
        }
    }

    @Test func `missing and wrong fields are named`() {
        #expect(reason(with("\"v\":1,", "")) == .missing("v"))
        #expect(reason(with("\"v\":1", "\"v\":2")) == .version(2))
        #expect(reason(with("\"v\":1", "\"v\":\"1\"")) == .wrongType("v"))
        #expect(reason(with("\"device\":\"d-000123\",", "")) == .missing("device"))
        #expect(reason(with("\"d-000123\"", "null")) == .missing("device"))
        #expect(reason(with("\"d-000123\"", "12")) == .wrongType("device"))
        #expect(reason(with("\"d-000123\"", "\"d 1\"")) == .outOfRange("device"))
        #expect(reason(with("2026-11-22T08:30:00.000Z", "2026-11-22 08:30")) == .outOfRange("time"))
        #expect(reason(with("2026-11-22", "2026-02-30")) == .outOfRange("time"))
        #expect(reason(with("\"level\":43", "\"level\":43.5")) == .wrongType("supplies.level"))
        #expect(reason(with("\"level\":43", "\"level\":-4")) == .outOfRange("supplies.level"))
        #expect(reason(with("\"level\":43,", "")) == .missing("supplies.level"))
        #expect(reason(with("\"index\":1", "\"index\":0")) == .outOfRange("supplies.index"))
        #expect(
            reason(with("\"capacity\":100", "\"capacity\":0")) == .outOfRange("supplies.capacity"))
        #expect(reason(with("\"black\"", "\"pink\"")) == .outOfRange("supplies.color"))
        #expect(reason(with("120345", "-1")) == .outOfRange("counters.total"))
        #expect(reason(with("41.5", "\"warm\"")) == .wrongType("meters.temp.c"))
        #expect(reason(with("41.5", "1e999")) == .outOfRange("meters.temp.c"))
    }

    @Test func `whole numbers beyond 2^53 are refused and 2^53 is not`() {
        #expect(reason(with("120345", "9007199254740993")) == .outOfRange("counters.total"))
        #expect(reason(with("120345", "99999999999999999999")) == .outOfRange("counters.total"))
        #expect(reason(with("120345", "9007199254740992")) == nil)
    }

    @Test func `a field named twice is refused, at every depth and however it is written`() {
        #expect(reason(with("\"v\":1", "\"v\":1,\"v\":1")) == .duplicateField("v"))
        #expect(reason(with("\"v\":1", "\"v\":1,\"\\u0076\":1")) == .duplicateField("v"))
        #expect(
            reason(with("\"level\":43", "\"level\":43,\"level\":43")) == .duplicateField("level"))
        #expect(reason(with("\"mono\"", "\"total\"")) == .duplicateField("total"))
        #expect(reason(with("\"temp.c\"", "\"fuser.count\"")) == .duplicateField("fuser.count"))
        #expect(reason(with("\"v\":1", "\"v\":1,\"x\":{\"a\":1,\"a\":2}")) == .duplicateField("a"))
        let twice = with("}],", "},{\"index\":1,\"level\":1}],")
        #expect(reason(twice) == .duplicateField("supplies.index 1"))
    }

    @Test func `unknown fields, null and unknown units are no harm`() throws {
        let text = with(
            "\"v\":1", "\"v\":1,\"x\":{\"a\":[1,{\"b\":null}]},\"y\":\"\\ud83d\\ude00\"")
        #expect(try parse(text).device == "d-000123")
        #expect(try parse(with("\"VNB3K01234\"", "null")).serial == nil)
        #expect(try parse(with("\"unit\":19", "\"unit\":77")).supplies.first?.percent == 43)
        let unknown = with("\"capacity\":100,\"unit\":19", "\"capacity\":-2,\"unit\":77")
        #expect(try parse(unknown).supplies.first?.percent == nil)
        let percent = with("\"capacity\":100,\"unit\":19", "\"capacity\":-2,\"unit\":19")
        #expect(try parse(percent).supplies.first?.percent == 43)
    }

    @Test(arguments: [-3, -2, -1])
    func `negative levels are codes and no numbers`(_ level: Int) throws {
        let supply = try parse(with("\"level\":43", "\"level\":\(level)")).supplies.first
        #expect(supply?.level == level)
        #expect(supply?.percent == nil)
    }

    @Test func `lines over 64 KiB are refused by their length alone`() {
        let long = with("VNB3K01234", String(repeating: "x", count: 70_000))
        #expect(reason(long) == .tooLong(bytes: long.utf8.count))
        #expect(reason([UInt8](repeating: 0x20, count: 10_000_000)) == .tooLong(bytes: 10_000_000))
    }

    @Test func `bytes that are not UTF-8 and nests too deep are refused`() {
        var bytes = Array(Self.good.utf8)
        bytes[20] = 0xC3
        #expect(reason(bytes) == .notUTF8)
        let deep = String(repeating: "[", count: 500)
        guard case .tooDeep = reason(with("\"v\":1", "\"v\":1,\"x\":\(deep)")) else {
            Issue.record("not refused as too deep")
            return
        }
    }

    @Test func `too many supplies or meters are refused`() {
        let supplies = (1...17).map { "{\"index\":\($0),\"level\":1}" }.joined(separator: ",")
        #expect(
            reason(
                "{\"v\":1,\"device\":\"d\",\"time\":\"2026-11-22T08:30:00.000Z\",\"supplies\":[\(supplies)],\"counters\":{}}"
            ) == .tooMany("supplies"))
        let meters = (0...100).map { "\"m\($0)\":1" }.joined(separator: ",")
        #expect(
            reason(with("\"fuser.count\":81234,\"temp.c\":41.5", meters)) == .tooMany("meters"))
    }
}

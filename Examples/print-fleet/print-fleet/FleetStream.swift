// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitRedis
import GodwitSQLite
import GodwitStreams
import PrintFleet

/// A reading on its way through the stream, as its packed bytes: the window holds a hundred of them
/// for each device, and only the current one is looked into.
struct PackedReading: Sendable {
    let device: String
    let bytes: [UInt8]

    init(_ reading: Reading) {
        device = reading.device
        bytes = reading.packed()
    }

    /// Throws what `Reading(packed:)` does; of a version this build does not know the bytes are kept.
    init(bytes: [UInt8]) throws {
        self.bytes = bytes
        device = try Reading.device(ofPacked: bytes)
    }

    func reading() throws -> Reading { try Reading(packed: bytes) }
}

typealias FleetStream = KeyedStream<PackedReading, DeviceState>

/// The stream of readings and the queues that its alerts and events go to.
enum Fleet {
    static let stream: QueueName = "print-fleet"
    static let alerts: QueueName = "print-fleet-alerts"
    static let events: QueueName = "print-fleet-events"

    /// Ids are times of sending, late ones are accepted: the analysis sorts by the readings' own time.
    static func readings(on broker: any StreamBroker, window: Int) -> FleetStream {
        KeyedStream(
            stream, key: { $0.device }, window: window,
            points: StreamCoding(name: "print-fleet.reading.1") {
                $0.bytes
            } decode: {
                try PackedReading(bytes: [UInt8]($0))
            },
            states: StreamCoding(name: "print-fleet.device.1") {
                $0.packed()
            } decode: {
                try DeviceState(packed: [UInt8]($0))
            },
            startingWith: { DeviceState() }, on: broker)
    }

    /// The broker of a URL: `memory:`, `sqlite:PATH`, `redis://…`, `redis+unix://…`.
    static func open(_ url: String) async throws -> any StreamBroker {
        if url == "memory:" { return MemoryBroker() }
        if url.hasPrefix("sqlite:"), url.count > "sqlite:".count {
            return try await SQLiteBroker(path: String(url.dropFirst("sqlite:".count)))
        }
        if url.hasPrefix("redis") { return try await RedisBroker(url) }
        throw Wrong(
            what: """
                --broker does not begin like a broker. Use memory:, sqlite:PATH, redis://host:port/db \
                or redis+unix:///path.
                """)
    }
}

/// Said to the user, who can do something about it.
struct Wrong: Error, CustomStringConvertible {
    let what: String
    var description: String { what }
}

/// An alert on its queue: one for each cartridge, in the same step as the reading's commit.
struct SupplyAlert: Job {
    static let name = "print-fleet.alert"
    let key: String
    let device: String
    let supply: Int
    let color: String
    let cartridge: Int
    let time: String
    let rule: String
    let level: Double?
    let p10: Double?
    let p50: Double?

    init(_ alert: Alert) {
        key = alert.key
        device = alert.device
        supply = alert.supply
        color = alert.color.text
        cartridge = alert.cartridge
        time = alert.time.text
        rule = alert.rule
        level = alert.level
        p10 = alert.p10
        p50 = alert.p50
    }
}

/// Something that happened to a device, on its queue.
struct FleetEvent: Job {
    static let name = "print-fleet.event"
    let kind: String
    let device: String
    let supply: Int?
    let time: String
    let seen: String
    let detail: Double

    init(_ event: PrintFleet.Event) {
        kind = event.kind.rawValue
        device = event.device
        supply = event.supply
        time = event.time.text
        seen = event.seen.text
        detail = event.detail
    }
}

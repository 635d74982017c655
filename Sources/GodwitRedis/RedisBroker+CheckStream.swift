// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

extension RedisBroker {
    /// Looks at up to `limit` keys of a stream and of each place. On a stream in use a key may move
    /// between two reads; what is reported twice in a row is real.
    public func check(stream: QueueName, limit: Int) async throws(BrokerError) -> [String] {
        let what = "check '\(stream)'"
        let names = streamBook(stream).keys
        if limit < 1 { return [] }
        let last = "\(limit - 1)"
        let places: [(name: String, command: String)] = [
            ("rd", "LRANGE"), ("rd!", "LRANGE"), ("ll", "ZRANGE"), ("ld", "ZRANGE"),
            ("lb", "ZRANGE"),
        ]
        let members = try await values(
            of: places.map { RedisCommand([$0.command, names.tag + $0.name, "0", last]) }, what)
        var standing: [[UInt8]: [String]] = [:]
        var isWhole = true
        for (place, reply) in zip(places, members) {
            let keys = reply.elements ?? []
            if keys.count >= limit { isWhole = false }
            for key in keys.compactMap(\.bytes) {
                let key = Array(place.name == "ll" ? key.dropFirst(8) : key)
                standing[key, default: []].append(place.name)
            }
        }
        var complaints: [String] = []
        let lanes = try await storedLanes(names, atMost: limit, what)
        if lanes.count >= limit { isWhole = false }
        for start in stride(from: 0, to: lanes.count, by: Self.batch) {
            let part = lanes[start..<min(start + Self.batch, lanes.count)]
            let lengths = try await values(
                of: part.map { RedisCommand(["LLEN", names.tag + "p:" + $0.key]) }, what)
            for (lane, length) in zip(part, lengths) {
                let key = lane.key.escapedForDisplay
                let stands = standing.removeValue(forKey: Array(lane.key.utf8)) ?? []
                let count = length.int ?? 0
                if stands.count > 1 {
                    complaints.append("Key '\(key)' stands in \(stands.joined(separator: ", ")).")
                } else if count == 0, let place = stands.first {
                    complaints.append("Key '\(key)' stands in \(place) and nothing waits in it.")
                } else if count > 0, stands.isEmpty, isWhole {
                    complaints.append("Key '\(key)' has \(count) waiting points and no place.")
                }
                let isSuspect = lane.lane.lost >= 2
                if stands == ["rd"] && isSuspect || stands == ["rd!"] && !isSuspect {
                    complaints.append(
                        "Key '\(key)' lost \(lane.lane.lost) leases and stands in \(stands[0]).")
                }
            }
        }
        if isWhole {
            for (key, places) in standing {
                let key = String(decoding: key, as: UTF8.self).escapedForDisplay
                complaints.append("Key '\(key)' stands in \(places[0]) and is not known.")
            }
        }
        return complaints.sorted()
    }
}

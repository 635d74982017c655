// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

extension RedisBroker: Diagnosable {
    /// Reads the server's version, its eviction policy and how it keeps things on disk.
    public func diagnose() async -> [Diagnosis] {
        let replies: [RESPValue]
        do throws(RedisError) {
            replies = try await client.send(pipeline: [
                RedisCommand(["INFO", "server"]), RedisCommand(["INFO", "memory"]),
                RedisCommand(["INFO", "persistence"]),
                RedisCommand(["CONFIG", "GET", "appendfsync"]),
                RedisCommand(["CONFIG", "GET", "save"]),
            ])
        } catch {
            return [Diagnosis(.problem, "server", "no answer", "\(error)")]
        }
        guard replies.count == 5 else {
            return [
                Diagnosis(
                    .problem, "server", "no answer", "it answered fewer questions than it was asked"
                )
            ]
        }
        return [
            Self.version(ServerInfo.fields(replies[0])),
            Self.eviction(ServerInfo.fields(replies[1])),
            Self.memory(ServerInfo.fields(replies[1])),
            Self.persistence(
                ServerInfo.fields(replies[2]), fsync: replies[3]["appendfsync"]?.string,
                save: replies[4]["save"]?.string),
        ]
    }

    private static func version(_ server: [Substring: Substring]) -> Diagnosis {
        if let valkey = server["valkey_version"] {
            return Diagnosis(
                .good, "Valkey version", "\(valkey)", "speaks all that the scripts need")
        }
        let text = server["redis_version"].map(String.init) ?? "unknown"
        let major = text.split(separator: ".").first.flatMap { Int($0) } ?? 0
        return major >= 7
            ? Diagnosis(.good, "Redis version", text, "has all that the scripts need")
            : Diagnosis(.problem, "Redis version", text, "the scripts need 7.0: use a later server")
    }

    private static func eviction(_ memory: [Substring: Substring]) -> Diagnosis {
        let policy = memory["maxmemory_policy"].map(String.init) ?? "unknown"
        return policy == "noeviction"
            ? Diagnosis(
                .good, "eviction policy", policy, "a full server refuses writes and loses nothing")
            : Diagnosis(
                .problem, "eviction policy", policy,
                "a full server throws messages away: run redis-cli CONFIG SET maxmemory-policy noeviction "
                    + "and write it to the server's configuration file")
    }

    private static func memory(_ memory: [Substring: Substring]) -> Diagnosis {
        let used = memory["used_memory"].flatMap { Int($0) } ?? 0
        let limit = memory["maxmemory"].flatMap { Int($0) } ?? 0
        let megabytes = "\(used / 1_048_576) MB"
        guard limit > 0 else {
            return Diagnosis(
                .note, "memory", "\(megabytes) used, no maxmemory",
                "the system ends a server that grows too far: set maxmemory below what the machine has"
            )
        }
        let isTight = used / 10 > limit / 10 / 10 * 9
        return Diagnosis(
            isTight ? .problem : .good, "memory", "\(megabytes) of \(limit / 1_048_576) MB used",
            isTight
                ? "it will soon refuse writes: raise maxmemory or work the queues off"
                : "there is room")
    }

    private static func persistence(
        _ persistence: [Substring: Substring], fsync: String?, save: String?
    ) -> Diagnosis {
        guard persistence["aof_enabled"] == "1" else {
            let hasSnapshots = !(save ?? "").isEmpty
            return Diagnosis(
                .problem, "persistence", hasSnapshots ? "snapshots only" : "off",
                """
                what was accepted \(hasSnapshots ? "since the last snapshot " : "")is gone when the \
                server stops: run redis-cli CONFIG SET appendonly yes and write it to the server's \
                configuration file
                """)
        }
        if persistence["aof_last_write_status"].map({ $0 != "ok" }) == true {
            return Diagnosis(
                .problem, "persistence", "the append-only file can't be written",
                "free space on the server's disk; until then it refuses writes")
        }
        return switch fsync {
        case "always":
            Diagnosis(.good, "persistence", "AOF, always", "what was accepted survives a power cut")
        case "everysec":
            Diagnosis(
                .note, "persistence", "AOF, everysec",
                "what was accepted survives the server's death, not the last second before a power cut"
            )
        default:
            Diagnosis(
                .note, "persistence", "AOF, appendfsync \(fsync ?? "unknown")",
                "a power cut loses what the system had not written: set appendfsync everysec or always"
            )
        }
    }
}

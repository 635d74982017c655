// SPDX-License-Identifier: Apache-2.0
public import Godwit
import MessagePack

/// Rules, channels and open groups as they stand on a board: what commands and pages read and write.
public struct AlertBook: Sendable {
    let board: any Board

    public init(_ board: any Board) { self.board = board }

    /// The rules of the store by name; the defaults when it has none. What can't be read is left out.
    public func rules() async throws(BrokerError) -> [AlertRule] {
        let rules = try await notes(of: AlertRule.self, where: { !$0.hasPrefix(Self.channelMark) })
        return rules.isEmpty ? AlertRule.defaults : rules.sorted { $0.name < $1.name }
    }

    /// Keeps a rule under its name. The first rule of a store replaces the defaults: keep those that
    /// shall go on, ``AlertRule/defaults``, in the same go.
    ///
    /// Repeated: the same again. Throws `invalid` with what is wrong with it.
    public func keep(_ rule: AlertRule) async throws(BrokerError) {
        try await keep(rule, as: rule.name, rule.problem)
    }

    /// Takes a rule away; false when there is none. Its open groups are closed without a word.
    @discardableResult
    public func removeRule(_ name: String) async throws(BrokerError) -> Bool {
        try await board.erase(name, in: .rules, if: .any)
    }

    /// The channels of the store by name. A process may have one more (``AlertChannel/fromEnvironment(_:)``).
    public func channels() async throws(BrokerError) -> [AlertChannel] {
        try await notes(of: AlertChannel.self, where: { $0.hasPrefix(Self.channelMark) })
            .sorted { $0.name < $1.name }
    }

    public func channel(_ name: String) async throws(BrokerError) -> AlertChannel? {
        guard let note = try await board.note(Self.channelMark + name, in: .rules) else {
            return nil
        }
        return try? MessagePackDecoder().decode(AlertChannel.self, from: note.bytes)
    }

    /// Keeps a channel under its name; its secrets only as places, unless they are ``SecretPlace/clear(_:)``.
    public func keep(_ channel: AlertChannel) async throws(BrokerError) {
        try await keep(channel, as: Self.channelMark + channel.name, channel.problem)
    }

    @discardableResult
    public func removeChannel(_ name: String) async throws(BrokerError) -> Bool {
        try await board.erase(Self.channelMark + name, in: .rules, if: .any)
    }

    /// The groups that are open now, the latest first, as of the watch's last look.
    public func openGroups() async throws(BrokerError) -> [AlertGroup] {
        try await GroupShelf.load(from: board).values.flatMap(\.groups)
            .sorted { $0.lastAt > $1.lastAt }
    }

    /// Why a mark: rules and channels share a folder, and no rule's name holds a colon.
    private static let channelMark = "channel:"

    private func notes<Value: Decodable>(
        of type: Value.Type, where isMeant: (String) -> Bool
    ) async throws(BrokerError) -> [Value] {
        try await board.notes(in: .rules).filter { isMeant($0.name) }.compactMap {
            try? MessagePackDecoder().decode(type, from: $0.bytes)
        }
    }

    private func keep(
        _ value: some Encodable, as name: String, _ problem: String?
    ) async throws(BrokerError) {
        if let problem {
            throw .invalid(
                BrokerError.Problem(
                    what: "keep '\(name.escapedForDisplay)'", location: "the board", cause: problem,
                    advice: "Nothing was kept; mend it and try again."))
        }
        let bytes: [UInt8]
        do {
            bytes = try MessagePackEncoder().encode(value)
        } catch {
            throw .invalid(
                BrokerError.Problem(
                    what: "keep '\(name)'", location: "the board", cause: "\(error)",
                    advice: "Nothing was kept."))
        }
        _ = try await board.write(bytes, as: name, in: .rules, for: nil, if: .any)
    }
}

/// The open groups, spread over notes by the hash of their key, so that a change writes a small part.
struct GroupShelf: Codable {
    var groups: [AlertGroup]

    /// How many notes there are at most.
    static let count = 256

    static func number(of key: AlertGroup.Key) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for part in [key.rule, key.queue, key.group] {
            for byte in part.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            hash = (hash ^ 0xFF) &* 0x100_0000_01B3
        }
        return Int((hash ^ hash >> 32) % UInt64(count))
    }

    static func name(_ number: Int) -> String { "alerts.\(number)" }

    /// By number; what can't be read counts as empty: it is told of again rather than never.
    static func load(from board: any Board) async throws(BrokerError) -> [Int: GroupShelf] {
        var shelves: [Int: GroupShelf] = [:]
        for note in try await board.notes(in: .groups) where note.name.hasPrefix("alerts.") {
            guard let number = Int(note.name.dropFirst(7)), (0..<count).contains(number) else {
                continue
            }
            shelves[number] = try? MessagePackDecoder().decode(GroupShelf.self, from: note.bytes)
        }
        return shelves
    }

    /// The bytes of one note. Over its bound the oldest go first: they may be told of again.
    static func bytes(of groups: [AlertGroup]) -> [UInt8] {
        var groups = groups.sorted { $0.lastAt > $1.lastAt }
        while true {
            guard let bytes = try? MessagePackEncoder().encode(GroupShelf(groups: groups)) else {
                return []
            }
            if bytes.count <= BoardLimits.noteBytes { return bytes }
            groups.removeLast(max(1, groups.count / 8))
        }
    }
}

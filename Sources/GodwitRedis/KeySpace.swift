// SPDX-License-Identifier: Apache-2.0
import Godwit
import RedisClient

/// The names of a queue's keys: all that is kept of a queue shares one hash tag, so that in a
/// cluster it lives in one slot.
///
///     {ns:q:<queue>:<shard>}:w:<band>:<kind>     ready     ·  …! suspects
///     {ns:q:<queue>:<shard>}:le  d  x            leased, scheduled, dead
///
/// Nothing else makes a key of a queue; the scripts build the rest from the tag.
struct KeySpace: Sendable {
    /// Hash of all queues of a namespace: name → type and shards, in a slot of its own.
    let registry: String
    /// The tag with its colon; never a key by itself.
    let tag: String
    private let markers: String
    private let lists: [UInt8]

    /// The value of a queue in the registry: a plain queue of one shard.
    static let registered = "q:1"

    init(namespace: String, queue: QueueName, shard: Int = 0) {
        self.init(namespace: namespace, tag: "{\(namespace):q:\(queue.text):\(shard)}:")
    }

    /// A stream of one shard: its points that wait are `p:<key>`, windows `w:<key>`; see RedisBroker+Append.
    init(namespace: String, stream: QueueName) {
        self.init(namespace: namespace, tag: "{\(namespace):s:\(stream.text):0}:")
    }

    /// A folder of the board: its notes are `n`, when they end `x`.
    init(namespace: String, folder: NoteFolder) {
        self.init(namespace: namespace, tag: "{\(namespace):b:\(folder.rawValue)}:")
    }

    private init(namespace: String, tag: String) {
        registry = Self.registry(of: namespace)
        self.tag = tag
        markers = tag + "mk:"
        lists = Array((tag + "w:").utf8)
    }

    /// The value of a stream in the registry; its field is ``field(ofStream:)``, so that a stream and
    /// the queue of its dead letters, which has the same name, both stand there.
    static let registeredStream = "s:1"
    /// No name of a queue holds a slash.
    static let streamPrefix = "s/"

    static func field(ofStream stream: QueueName) -> String { streamPrefix + stream.text }

    static func registry(of namespace: String) -> String { "godwit:\(namespace):queues" }

    /// The key that ends in `name`, such as `cfg` or `le`.
    func key(_ name: StaticString) -> String { tag + name.description }

    /// A namespace is 1 to 32 characters out of `A–Z a–z 0–9 . _ -`.
    static func isNamespace(_ text: String) -> Bool {
        (1...32).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    // MARK: Into commands

    /// Appends the two keys that every script begins with.
    func appendTag(to command: inout RedisCommand) {
        command.append(tag)
        command.append(markers)
    }

    /// Appends `w:<band>:<kind>`, for suspects with `!`.
    func appendList(
        band: UInt8, kind: UInt32, suspects: Bool = false, to command: inout RedisCommand
    ) {
        let length = lists.count
        command.append(count: length + (suspects ? 11 : 10)) { buffer in
            lists.withUnsafeBytes { buffer.copyMemory(from: $0) }
            buffer[length] = UInt8(ascii: "0") + band
            buffer[length + 1] = UInt8(ascii: ":")
            for index in 0..<8 {
                buffer[length + 2 + index] = Hex.digit(
                    UInt8(truncatingIfNeeded: kind >> UInt32(28 - 4 * index)) & 0xF)
            }
            if suspects { buffer[length + 10] = UInt8(ascii: "!") }
        }
    }

    /// The marker that wakes who waits for the kind; nil: who waits for any, when a kind is new.
    func marker(of kind: UInt32?) -> String {
        markers + (kind.map { Self.field(of: $0) } ?? "any")
    }

    /// The marker that wakes who waits for lanes of a stream.
    var laneMarker: String { markers + "lanes" }

    /// `w:<band>:<kind>` by itself.
    func list(band: UInt8, kind: UInt32) -> String { "\(tag)w:\(band):\(Self.field(of: kind))" }

    /// The bytes that a list's key takes, for sizing commands.
    var listBytes: Int { lists.count + 11 }

    // MARK: Kinds

    /// A kind as it stands in keys and in the hash `k`: 8 hexadecimal digits.
    static func field(of kind: UInt32) -> String {
        Hex.string((0..<4).map { UInt8(truncatingIfNeeded: kind >> UInt32(24 - 8 * $0)) })
    }

    static func kind(ofField bytes: ArraySlice<UInt8>) -> UInt32? {
        guard bytes.count == 8 else { return nil }
        var value: UInt32 = 0
        for byte in bytes {
            guard let digit = Hex.value(of: byte) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}

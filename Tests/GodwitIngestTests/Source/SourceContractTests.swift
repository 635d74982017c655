// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Foundation
import Godwit
import GodwitIngest
import GodwitTesting
import Synchronization
import SystemPackage
import Testing

/// What every source must keep, whatever is behind it.
enum SourceKind: String, CaseIterable, Sendable {
    case sqs, queue, directory, listing
}

/// One source of a kind, with what a test must see of what is behind it.
final class SourceBed: Sendable {
    let kind: SourceKind
    let clock = VirtualClock()
    let room: FakeSQS
    let test: QueueTest
    let store = FakeStore()
    let folder: FilePath

    init(_ kind: SourceKind) throws {
        self.kind = kind
        room = FakeSQS(clock)
        test = QueueTest(clock: clock)
        folder = FilePath(
            NSTemporaryDirectory() + "/godwit-source-\(UInt64.random(in: 0 ... .max))")
        room.state.withLock { $0.deadLetters[FakeSQS.url] = "dead" }
        try FileManager.default.createDirectory(
            atPath: folder.string + "/in", withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder.string) }

    private var queue: Queue { test.queue("announcements") }

    /// A new one over the same, as another process would make it.
    var source: any MessageSource {
        let letters = DeadLetterFolder(folder.appending("dead"))
        switch kind {
        case .sqs:
            return SQSSource(
                queue: FakeSQS.url, polling: room.client("poll"), settling: room.client("settle"),
                time: clock)
        case .queue: return QueueSource(queue)
        case .directory:
            return DirectorySource(
                folder.appending("in"), options: ListSourceOptions(deadLetters: letters),
                time: clock)
        case .listing:
            return S3ListSource(
                store, bucket: "music", options: ListSourceOptions(deadLetters: letters),
                time: clock)
        }
    }

    /// Announces objects; the keys come out of ``key(_:)`` again.
    func put(_ keys: String...) async throws {
        for key in keys {
            let event = ObjectEvent(bucket: "music", key: key)
            switch kind {
            case .sqs: room.put(event.body)
            case .queue: try await queue.enqueue(QueuedAnnouncement(event))
            case .directory:
                try Data("x".utf8).write(to: URL(fileURLWithPath: folder.string + "/in/" + key))
            case .listing:
                store.listing.withLock {
                    $0.append(ObjectInfo(key: key, size: 1, etag: "e"))
                    $0.sort { $0.key < $1.key }
                }
            }
        }
    }

    func key(_ message: SourceMessage) -> String {
        guard case .appeared(let event)? = Announcement(message.body).records.first?.meaning else {
            return message.body
        }
        return event.key
    }

    /// Bodies among the dead letters.
    func deadLetters() async throws -> [String] {
        switch kind {
        case .sqs: return room.bodies(in: FakeSQS.deadURL)
        case .queue:
            let page = try await test.broker.inspector.messages(
                .dead, in: "announcements", after: nil, limit: 10)
            return page.messages.map { "\($0)" }
        case .directory, .listing:
            let path = folder.string + "/dead"
            let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
            return names.compactMap {
                try? String(contentsOfFile: path + "/" + $0, encoding: .utf8)
            }
        }
    }

    func run(
        _ handle: @escaping @Sendable (SourceMessage) async -> SourceVerdict,
        until isThere: @escaping @Sendable () async -> Bool
    ) async throws {
        try await GodwitIngestTests.run(source, concurrency: 1, handle) {
            while !Task.isCancelled, !(await isThere()) {
                clock.advance(by: .milliseconds(200))
                for _ in 0..<20 { await Task.yield() }
            }
        }
    }
}

/// What a handler saw, in order.
final class Seen: Sendable {
    private let keys = Mutex<[String]>([])

    var all: [String] { keys.withLock { $0 } }
    func add(_ key: String) { keys.withLock { $0.append(key) } }
}

@Suite(.timeLimit(.minutes(2))) struct `Source contract` {
    @Test(arguments: SourceKind.allCases)
    func `what was received once and is done is handed out once`(_ kind: SourceKind) async throws {
        let bed = try SourceBed(kind)
        let seen = Seen()
        try await bed.put("a.wav", "b c.wav", "ü+%.wav")
        try await bed.run {
            seen.add(bed.key($0))
            return .done
        } until: {
            seen.all.count >= 3
        }
        let start = bed.clock.now()
        if kind == .sqs || kind == .queue {
            try await bed.run {
                seen.add(bed.key($0))
                return .done
            } until: {
                bed.clock.now() > start + .seconds(300)
            }
        }
        #expect(Set(seen.all) == ["a.wav", "b c.wav", "ü+%.wav"])
        #expect(seen.all.count == 3)
    }

    @Test(arguments: SourceKind.allCases)
    func `later comes again, not before its time, and says how often`(_ kind: SourceKind)
        async throws
    {
        let bed = try SourceBed(kind)
        try await bed.put("a.wav")
        let times = Mutex<[(Timestamp, Int)]>([])
        try await bed.run { message in
            times.withLock { $0.append((bed.clock.now(), message.receiveCount)) }
            return message.receiveCount == 1 ? .later(after: .seconds(40), reason: "busy") : .done
        } until: {
            times.withLock { $0.count } == 2
        }
        let (first, second) = times.withLock { ($0[0], $0[1]) }
        #expect(second.0 - first.0 >= .seconds(40))
        #expect(first.1 == 1)
        #expect(second.1 == 2)
    }

    @Test(arguments: SourceKind.allCases)
    func `a dead one lands in the dead letters with its bytes and comes no more`(_ kind: SourceKind)
        async throws
    {
        let bed = try SourceBed(kind)
        let seen = Seen()
        try await bed.put("bad.wav", "good.wav")
        try await bed.run { message in
            seen.add(bed.key(message))
            return bed.key(message) == "bad.wav" ? .dead(reason: "no audio") : .done
        } until: {
            let letters = (try? await bed.deadLetters()) ?? []
            return seen.all.count >= 2 && !letters.isEmpty
        }
        let letters = try await bed.deadLetters()
        #expect(letters.count == 1)
        if kind != .queue { #expect(letters.first?.contains("bad.wav") == true) }
        #expect(seen.all.sorted() == ["bad.wav", "good.wav"])
    }

    @Test(arguments: SourceKind.allCases)
    func `replaced, the rest comes and the whole does not`(_ kind: SourceKind) async throws {
        let bed = try SourceBed(kind)
        let seen = Seen()
        try await bed.put("whole.wav")
        let rest = ObjectEvent(bucket: "music", key: "rest.wav").body
        try await bed.run { message in
            seen.add(bed.key(message))
            return bed.key(message) == "whole.wav"
                ? .replace(body: rest, after: .seconds(3), reason: "half") : .done
        } until: {
            seen.all.count >= 2
        }
        #expect(seen.all == ["whole.wav", "rest.wav"])
        if kind == .sqs { #expect(bed.room.bodies() == []) }
    }

    @Test(arguments: SourceKind.allCases)
    func `a cancelled run ends what is handled and gives back the rest at once`(_ kind: SourceKind)
        async throws
    {
        let bed = try SourceBed(kind)
        let gate = Gate()
        let seen = Seen()
        try await bed.put("a.wav", "b.wav")
        let source = bed.source
        let task = Task {
            try await source.run(concurrency: 1) { message in
                seen.add(bed.key(message))
                await gate.wait()
                return Task.isCancelled ? .later(after: .seconds(9999), reason: "cancelled") : .done
            }
        }
        while seen.all.isEmpty, !Task.isCancelled {
            bed.clock.advance(by: .milliseconds(200))
            for _ in 0..<20 { await Task.yield() }
        }
        task.cancel()
        for _ in 0..<100 { await Task.yield() }
        gate.open()
        try await task.value
        let first = seen.all
        #expect(first.count == 1)
        let start = bed.clock.now()
        let again = Seen()
        try await bed.run {
            again.add(bed.key($0))
            return .done
        } until: {
            !Set(again.all).isDisjoint(with: Set(["a.wav", "b.wav"]).subtracting(first))
        }
        #expect(bed.clock.now() - start < .seconds(20))
        // A listing has no memory between processes; the others deleted what was handled.
        if kind == .sqs || kind == .queue { #expect(Set(again.all).isDisjoint(with: first)) }
    }

    @Test(arguments: SourceKind.allCases)
    func `after a crash between handled and deleted it comes again`(_ kind: SourceKind) async throws
    {
        let bed = try SourceBed(kind)
        try await bed.put("a.wav")
        let seen = Seen()
        // What a crash leaves behind: handled, and nothing of it told to the source.
        switch kind {
        case .sqs:
            _ = try await bed.room.client("crashed").receive(
                upTo: 1, from: FakeSQS.url, visibility: .seconds(60), wait: .zero)
        case .queue:
            _ = try await bed.test.broker.reserve(
                ReserveRequest(1, lease: .seconds(60)), from: "announcements")
        case .directory, .listing:
            try await bed.run {
                seen.add(bed.key($0))
                return .done
            } until: {
                seen.all.count == 1
            }
        }
        let again = Seen()
        try await bed.run {
            again.add(bed.key($0))
            return .done
        } until: {
            again.all.count == 1
        }
        #expect(again.all == ["a.wav"])
    }
}

@Suite(.timeLimit(.minutes(2))) struct `Listings` {
    private let start = Timestamp(milliseconds: 1_000_000)

    private func info(_ key: String, _ size: UInt64 = 1, _ etag: String = "e") -> ObjectInfo {
        ObjectInfo(key: key, size: size, etag: etag)
    }

    private func pass(_ state: inout ListState, _ page: [ObjectInfo]) -> [String] {
        state.listed(page, at: start)
        state.endPass()
        var keys: [String] = []
        while let item = state.next() {
            keys.append("\(item.info.key) \(item.info.size)")
            state.settled(item.id, .done, at: start)
        }
        return keys
    }

    @Test func `a file that grows is announced when it has stopped`() {
        var state = ListState(looks: 2)
        #expect(pass(&state, [info("a", 1)]) == [])
        #expect(pass(&state, [info("a", 2)]) == [])
        #expect(pass(&state, [info("a", 2, "f")]) == [])
        #expect(pass(&state, [info("a", 2, "f")]) == ["a 2"])
        #expect(pass(&state, [info("a", 2, "f")]) == [])
        #expect(pass(&state, [info("a", 3, "g")]) == [])
        #expect(pass(&state, [info("a", 3, "g")]) == ["a 3"])
    }

    @Test func `a look that was not in a row does not count`() {
        var state = ListState(looks: 2)
        #expect(pass(&state, [info("a")]) == [])
        #expect(pass(&state, []) == [])
        #expect(pass(&state, [info("a")]) == [])
        #expect(pass(&state, [info("a")]) == ["a 1"])
    }

    @Test func `the same object removed and put again is announced again`() {
        var state = ListState(looks: 1)
        #expect(pass(&state, [info("a")]) == ["a 1"])
        #expect(pass(&state, []) == [])
        #expect(pass(&state, [info("a")]) == ["a 1"])
    }

    @Test func `names of what is hidden or unfinished are passed over`() throws {
        let bed = try SourceBed(.directory)
        let root = bed.folder.string + "/in"
        let files = FileManager.default
        for folder in ["sub/deep", ".hidden"] {
            try files.createDirectory(
                atPath: "\(root)/\(folder)", withIntermediateDirectories: true)
        }
        for name in [
            "a.wav", "sub/b.wav", "sub/deep/-i", ".c.wav", ".hidden/d.wav", "e.wav.part", "f.TMP",
            "g~", "#h#", "i.crdownload", "j\nk.wav",
        ] {
            try Data("x".utf8).write(to: URL(fileURLWithPath: "\(root)/\(name)"))
        }
        try files.createSymbolicLink(
            atPath: "\(root)/link.wav", withDestinationPath: "/etc/hostname")
        try files.createSymbolicLink(atPath: "\(root)/loop", withDestinationPath: root)
        let found = try DirectorySource.scan(FilePath(root))
        #expect(found.map(\.key) == ["a.wav", "j\nk.wav", "sub/b.wav", "sub/deep/-i"])
        #expect(throws: StoreError.self) { try DirectorySource.scan("/nowhere/at/all") }
    }

    @Test func `a listing that fails for a while is asked again`() async throws {
        let bed = try SourceBed(.directory)
        let seen = Seen()
        let root = bed.folder.string + "/in"
        try FileManager.default.removeItem(atPath: root)
        let source = bed.source
        let task = Task {
            try await source.run(concurrency: 1) {
                seen.add(bed.key($0))
                return .done
            }
        }
        for _ in 0..<3 {
            bed.clock.advance(by: .milliseconds(900))
            for _ in 0..<20 { await Task.yield() }
        }
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        try await bed.put("a.wav")
        while seen.all.isEmpty, !Task.isCancelled {
            bed.clock.advance(by: .milliseconds(500))
            for _ in 0..<20 { await Task.yield() }
        }
        task.cancel()
        try await task.value
    }
}

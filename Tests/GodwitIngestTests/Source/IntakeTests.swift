// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitIngest
import GodwitTesting
import Synchronization
import SystemPackage
import Testing

/// Objects that are there as a test says; nothing else of a store works.
final class FakeStore: ObjectStore {
    let name = "s3://music"
    let answers: Mutex<[String: Result<ObjectInfo?, StoreError>]>
    let listing = Mutex<[ObjectInfo]>([])
    let heads = Mutex<[String]>([])

    init(_ answers: [String: Result<ObjectInfo?, StoreError>] = [:]) {
        self.answers = Mutex(answers)
    }

    func set(_ key: String, _ answer: Result<ObjectInfo?, StoreError>) {
        answers.withLock { $0[key] = answer }
    }

    func head(_ key: String) async throws(StoreError) -> ObjectInfo? {
        heads.withLock { $0.append(key) }
        return try answers.withLock { $0[key] ?? .success(nil) }.get()
    }

    func list(
        _ prefix: String, after: String?, limit: Int
    ) async throws(StoreError) -> [ObjectInfo] {
        listing.withLock { all in
            Array(all.filter { $0.key.hasPrefix(prefix) && $0.key > after ?? "" }.prefix(2))
        }
    }

    func read(
        _ key: String, _ range: Range<UInt64>?, ifMatch: String?,
        _ consume: @Sendable ([UInt8]) async throws -> Void
    ) async throws -> ObjectInfo { throw StoreError.invalid("not here") }

    func put(
        _ bytes: [UInt8], at key: String, _ options: PutOptions
    ) async throws(StoreError) -> PutOutcome { throw .invalid("not here") }

    func put(
        file: FilePath, at key: String, _ options: PutOptions
    ) async throws(StoreError) -> PutOutcome { throw .invalid("not here") }

    func delete(_ key: String) async throws(StoreError) { throw .invalid("not here") }
}

@Suite(.timeLimit(.minutes(2))) struct `Intake of announcements` {
    let test = QueueTest()
    let store = FakeStore()
    let queue: Queue
    let intake: Intake

    init() {
        let store = store
        queue = test.queue("audio.analyse")
        intake = Intake(
            into: queue,
            rules: IntakeRules(
                outputs: [.init(bucket: "music", prefix: "results/")], maxBytes: 1000), home: "music"
        ) { $0 == "music" ? store : nil }
    }

    private func there(_ keys: String..., size: UInt64 = 10, etag: String = "e1") {
        for key in keys { store.set(key, .success(ObjectInfo(key: key, size: size, etag: etag))) }
    }

    private func announce(
        _ events: [ObjectEvent], count: Int = 1
    ) async -> SourceVerdict {
        let body = Announcement.body(of: events.flatMap { Announcement($0.body).records })
        return await intake.handle(SourceMessage(id: "m", body: body, receiveCount: count))
    }

    private func event(_ key: String, _ sequencer: String? = nil) -> ObjectEvent {
        ObjectEvent(bucket: "music", key: key, sequencer: sequencer.map(Sequencer.init))
    }

    private func tracks() async throws -> [Track] {
        let found = Mutex<[Track]>([])
        try await test.drain(queue) { jobs in
            jobs.handle(Track.self) { track, _ in found.withLock { $0.append(track) } }
        }
        return found.withLock { $0 }
    }

    @Test func `an object that is there becomes a track, as the store says it is`() async throws {
        there("my song.wav", size: 99, etag: "now")
        var event = event("my song.wav")
        event.size = 5
        event.etag = "before"
        #expect(await announce([event]) == .done)
        #expect(
            try await tracks() == [Track(bucket: "music", key: "my song.wav", etag: "now", size: 99)])
    }

    @Test func `the same object announced twice is one track`() async throws {
        there("a.wav")
        #expect(await announce([event("a.wav")]) == .done)
        #expect(await announce([event("a.wav"), event("a.wav")]) == .done)
        #expect(try await tracks().count == 1)
        // The record is kept: even after the track is worked it is recognised.
        #expect(await announce([event("a.wav")]) == .done)
        #expect(try await tracks().isEmpty)
    }

    @Test func `other bytes at the same key are another track`() async throws {
        there("a.wav", etag: "e1")
        #expect(await announce([event("a.wav")]) == .done)
        there("a.wav", etag: "e2")
        #expect(await announce([event("a.wav")]) == .done)
        #expect(try await tracks().map(\.etag) == ["e1", "e2"])
    }

    @Test func `an id is made of bucket, key and version or etag, each apart`() {
        let track = Track(bucket: "b", key: "k", etag: "e", size: 1)
        let id = Intake.id(of: track)
        #expect(id.description == Intake.id(of: track).description)
        #expect(id.timestamp == nil)
        #expect(id.high >> 12 & 15 == 8)
        #expect(id.low >> 62 == 2)
        var sized = track
        sized.size = 2
        #expect(Intake.id(of: sized) == id)
        let others = [
            Track(bucket: "bk", key: "", etag: "e", size: 1),
            Track(bucket: "b", key: "ke", etag: "", size: 1),
            Track(bucket: "b", key: "k", versionID: "e", etag: "e", size: 1),
            Track(bucket: "b", key: "k", versionID: "v", etag: "e", size: 1),
            Track(bucket: "b", key: "k", etag: "f", size: 1),
        ]
        #expect(Set(others.map(Intake.id) + [id]).count == 6)
    }

    @Test func `a message is done only when the queue has its track`() async throws {
        there("a.wav")
        test.broker.inject(.fail(FaultyBroker.unavailable()), into: .enqueue)
        guard case .later(let after, _) = await announce([event("a.wav")]) else {
            Issue.record("settled without a track")
            return
        }
        #expect(after == .seconds(5))
        #expect(await announce([event("a.wav")]) == .done)
        #expect(try await tracks().count == 1)
    }

    @Test func `an enqueue whose answer was lost is repeated and makes no second track`() async throws {
        there("a.wav")
        test.broker.inject(.loseReply, into: .enqueue)
        guard case .later = await announce([event("a.wav")]) else {
            Issue.record("settled without an answer")
            return
        }
        #expect(await announce([event("a.wav")]) == .done)
        #expect(try await tracks().count == 1)
    }

    @Test func `what is ours, a folder or gone is done with a note`() async throws {
        there("results/a.json", "folder/")
        #expect(
            await announce([event("results/a.json"), event("folder/"), event("gone.wav")]) == .done)
        store.set("gone2.wav", .failure(.gone("404")))
        #expect(await announce([event("gone2.wav")]) == .done)
        #expect(store.heads.withLock { $0 } == ["gone.wav", "gone2.wav"])
        #expect(try await tracks().isEmpty)
    }

    @Test func `a key that only begins like our results is input`() async throws {
        there("results.wav", "resultsé/a.wav")
        #expect(await announce([event("results.wav"), event("resultsé/a.wav")]) == .done)
        #expect(try await tracks().count == 2)
    }

    @Test func `what is too large, undecodable or of a foreign bucket is dead`() async throws {
        there("big.wav", size: 1001)
        for verdict in [
            await announce([event("big.wav")]),
            await intake.handle(SourceMessage(id: "m", body: "hello")),
            await announce([ObjectEvent(bucket: "other", key: "a.wav")]),
        ] {
            guard case .dead(let reason) = verdict else {
                Issue.record("\(verdict)")
                continue
            }
            #expect(!reason.isEmpty)
        }
        there("fits.wav", size: 1000)
        #expect(await announce([event("fits.wav")]) == .done)
    }

    @Test func `no permission waits long, an outage a little and then longer`() async throws {
        store.set("a.wav", .failure(.config("403")))
        #expect(await announce([event("a.wav")]) == .later(after: .seconds(300), reason: "403"))
        store.set("a.wav", .failure(.unavailable("503")))
        #expect(await announce([event("a.wav")]) == .later(after: .seconds(5), reason: "503"))
        #expect(
            await announce([event("a.wav")], count: 4) == .later(after: .seconds(40), reason: "503"))
        #expect(
            await announce([event("a.wav")], count: 999)
                == .later(after: .seconds(300), reason: "503"))
        store.set("a.wav", .failure(.invalid("no key")))
        #expect(await announce([event("a.wav")]) == .dead(reason: "no key"))
    }

    @Test func `of several records only those that failed come again`() async throws {
        there("one.wav", "three.wav")
        store.set("two.wav", .failure(.unavailable("503")))
        let verdict = await announce([event("one.wav"), event("two.wav"), event("three.wav")])
        guard case .replace(let body, let after, _) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(after == .seconds(5))
        let rest = Announcement(body).records.map(\.meaning)
        #expect(rest == [.appeared(event("two.wav"))])
        #expect(try await tracks().map(\.key) == ["one.wav", "three.wav"])
        // Alone it is put off, not replaced by itself: so its receives are counted.
        guard case .later = await intake.handle(SourceMessage(id: "n", body: body)) else {
            Issue.record("a rest was replaced by itself")
            return
        }
        there("two.wav")
        #expect(await intake.handle(SourceMessage(id: "n", body: body)) == .done)
        #expect(try await tracks().map(\.key) == ["two.wav"])
    }

    @Test func `a dead record waits for those that may still work`() async throws {
        there("big.wav", size: 9999)
        there("ok.wav")
        store.set("two.wav", .failure(.unavailable("503")))
        let verdict = await announce([event("big.wav"), event("two.wav"), event("ok.wav")])
        guard case .replace(let body, _, _) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        there("two.wav")
        guard case .dead(let reason) = await intake.handle(SourceMessage(id: "n", body: body)) else {
            Issue.record("the dead one was forgotten")
            return
        }
        #expect(reason.contains("big.wav"))
        #expect(try await tracks().map(\.key) == ["ok.wav", "two.wav"])
    }

    @Test func `an older event of a key is dropped, an equal one is a repetition`() async throws {
        there("a.wav")
        #expect(await announce([event("a.wav", "0A10")]) == .done)
        #expect(await announce([event("a.wav", "0A0F")]) == .done)
        #expect(store.heads.withLock { $0.count } == 1)
        #expect(await announce([event("a.wav", "A10")]) == .done)
        #expect(await announce([event("a.wav", "A11")]) == .done)
        #expect(await announce([event("b.wav", "01")]) == .done)
        #expect(store.heads.withLock { $0.count } == 4)
    }

    @Test func `an event that failed does not make its own repetition stale`() async throws {
        store.set("a.wav", .failure(.unavailable("503")))
        _ = await announce([event("a.wav", "20")])
        there("a.wav")
        #expect(await announce([event("a.wav", "10")]) == .done)
        #expect(try await tracks().count == 1)
    }

    @Test func `the sequencers in memory are bounded`() async throws {
        var book = SequencerBook(limit: 100)
        for number in 0..<1000 { book.note(event("k\(number)", "5")) }
        let kept = (0..<1000).count { book.isStale(event("k\($0)", "4")) }
        #expect(kept > 50 && kept <= 100)
        #expect(book.isStale(event("k999", "4")))
        for number in 0..<1000 { book.note(event("same", "\(number)")) }
        #expect(book.isStale(event("same", "998")))
    }

    @Test func `a test event and a removal are done without a look`() async throws {
        #expect(
            await intake.handle(SourceMessage(id: "m", body: #"{"Event":"s3:TestEvent"}"#)) == .done)
        let removal =
            #"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectRemoved:Delete","s3":{"object":{"key":"a"}}}]}"#
        #expect(await intake.handle(SourceMessage(id: "m", body: removal)) == .done)
        #expect(store.heads.withLock { $0.isEmpty })
    }

    @Test func `a key alone is of the home bucket`() async throws {
        there("a+b.wav")
        #expect(
            await intake.handle(SourceMessage(id: "m", body: #"{"file":"a+b.wav"}"#)) == .done)
        #expect(try await tracks().map(\.bucket) == ["music"])
    }
}

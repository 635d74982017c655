// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitIngest
import Synchronization
import SystemPackage
import Testing

@Suite struct AdmissionTests {
    @Test func `Slots and bytes are counted, not tasks`() {
        var book = AdmissionBook(cpuSlots: 2, tempBytes: 100)
        let first = book.ask(Cost(cpuSlots: 1, tempBytes: 60))
        let second = book.ask(Cost(cpuSlots: 1, tempBytes: 60))
        let third = book.ask(Cost(cpuSlots: 0, tempBytes: 10))
        #expect(book.admit() == [first])
        // Why not the third, which would fit: who needs much would wait for ever.
        #expect(book.admit().isEmpty)
        book.giveBack(Cost(cpuSlots: 1, tempBytes: 60))
        #expect(book.admit() == [second, third])
        #expect(book.lentBytes == 70)
    }

    @Test func `What wants more slots than there are gets all of them`() {
        var book = AdmissionBook(cpuSlots: 2, tempBytes: 100)
        let whole = book.ask(Cost(cpuSlots: 8, tempBytes: 0))
        #expect(book.admit() == [whole])
        #expect(book.lentSlots == 2)
        book.giveBack(Cost(cpuSlots: 8, tempBytes: 0))
        #expect(book.lentSlots == 0)
    }

    @Test func `What could never fit is refused as a limit`() async {
        let admission = Admission(cpuSlots: 1, tempBytes: 100)
        await #expect {
            try await admission.with(Cost(cpuSlots: 1, tempBytes: 101)) {}
        } throws: {
            guard case .mediaLimit? = $0 as? TaskFailure else { return false }
            return true
        }
    }

    @Test func `One that is cancelled while it waits lets those behind it in`() async throws {
        let admission = Admission(cpuSlots: 1, tempBytes: 100)
        let (inside, leave, asked) = (Signal(), Signal(), Signal())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await admission.with(Cost(cpuSlots: 1, tempBytes: 0)) {
                    inside.fire()
                    await leave.waitUntilFired()
                }
            }
            await inside.waitUntilFired()
            let waiting = Task {
                asked.fire()
                try await admission.with(Cost(cpuSlots: 1, tempBytes: 0)) {}
            }
            await asked.waitUntilFired()
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            leave.fire()
            try await group.waitForAll()
            try await admission.with(Cost(cpuSlots: 1, tempBytes: 100)) {}
        }
    }
}

@Suite struct ScratchTests {
    @Test func `What a dead process left is removed at start, what a living one has stays`() throws
    {
        let root = FilePath(
            FileManager.default.temporaryDirectory.appendingPathComponent(
                "scratch-\(UUID().uuidString)"
            ).path)
        defer { try? FileManager.default.removeItem(atPath: root.string) }
        let living = try Scratch(below: root)
        let dead = root.appending("process-1-dead")
        try FileManager.default.createDirectory(
            atPath: dead.appending("run-1").string, withIntermediateDirectories: true)
        try Data("lock".utf8).write(to: URL(fileURLWithPath: dead.appending(".lock").string))
        try Data("half".utf8).write(
            to: URL(fileURLWithPath: dead.appending("run-1").appending("input").string))
        let later = try Scratch(below: root)
        #expect(!FileManager.default.fileExists(atPath: dead.string))
        #expect(FileManager.default.fileExists(atPath: living.folder.string))
        // One that died when all others had started is swept by whoever ends.
        try FileManager.default.createDirectory(
            atPath: dead.appending("run-2").string, withIntermediateDirectories: true)
        later.close()
        #expect(!FileManager.default.fileExists(atPath: dead.string))
        #expect(FileManager.default.fileExists(atPath: living.folder.string))
        living.close()
        #expect(try FileManager.default.contentsOfDirectory(atPath: root.string) == [".lock"])
    }

    @Test func `A folder that was lent is removed, also when its user throws`() async throws {
        let root = FilePath(
            FileManager.default.temporaryDirectory.appendingPathComponent(
                "scratch-\(UUID().uuidString)"
            ).path)
        defer { try? FileManager.default.removeItem(atPath: root.string) }
        let scratch = try Scratch(below: root)
        let seen = Mutex<String?>(nil)
        await #expect(throws: CancellationError.self) {
            try await scratch.withFolder { folder in
                seen.withLock { $0 = folder.string }
                try Data("x".utf8).write(
                    to: URL(fileURLWithPath: folder.appending("x").string))
                throw CancellationError()
            }
        }
        let path = try #require(seen.withLock { $0 })
        #expect(!FileManager.default.fileExists(atPath: path))
        scratch.close()
    }
}

@Suite struct FileStoreTests {
    @Test func `Odd names are read, and nothing outside the root is`() async throws {
        let root = FilePath(
            FileManager.default.temporaryDirectory.appendingPathComponent(
                "files-\(UUID().uuidString)"
            ).path)
        defer { try? FileManager.default.removeItem(atPath: root.string) }
        try FileManager.default.createDirectory(
            atPath: root.appending("in").string, withIntermediateDirectories: true)
        let store = FileStore(root.appending("in"))
        for name in ["-i", "%03d", "a\nb", "c d+é", "q?*\"'"] {
            try Data(name.utf8).write(
                to: URL(fileURLWithPath: root.appending("in").string + "/" + name))
            #expect(try await store.bytes(at: name)?.text == name)
        }
        try Data("secret".utf8).write(to: URL(fileURLWithPath: root.appending("secret").string))
        try FileManager.default.createSymbolicLink(
            atPath: root.appending("in").appending("link").string,
            withDestinationPath: root.appending("secret").string)
        try FileManager.default.createSymbolicLink(
            atPath: root.appending("in").appending("up").string,
            withDestinationPath: root.string)
        for key in ["../secret", "/etc/passwd", "link", "up/secret", "a/../../secret", "", "in\0"] {
            let bytes = try? await store.bytes(at: key)
            #expect(bytes == nil, "\(key)")
        }
        let info = try #require(try await store.head("-i"))
        try Data("longer".utf8).write(
            to: URL(fileURLWithPath: root.appending("in").appending("-i").string))
        await #expect(throws: StoreError.self) {
            _ = try await store.read("-i", nil, ifMatch: info.etag) { _ in }
        }
    }
}

@Suite struct EvenBlockTests {
    @Test func `Blocks are the same whatever the pieces`() {
        let sound = (0..<20_000).map { Float($0) }
        func blocks(_ piece: Int) -> [[Float]] {
            var made: [[Float]] = []
            var cutter = EvenBlocks(channels: 2)
            var start = 0
            while start < sound.count {
                let end = min(start + piece, sound.count)
                cutter.add(sound.span.extracting(start..<end)) { block in
                    made.append(block.indices.map { block[$0] })
                }
                start = end
            }
            cutter.finish { block in made.append(block.indices.map { block[$0] }) }
            return made
        }
        let whole = blocks(sound.count)
        #expect(whole.flatMap { $0 } == sound)
        #expect(whole.first?.count == 8192)
        for piece in [2, 1000, 8192, 8194] { #expect(blocks(piece) == whole) }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// Who may import whom: the arrows of the design.
@Suite struct `Arrows` {
    /// Modules of this package.
    static let own: Set<String> = [
        "Godwit", "GodwitSQLite", "GodwitRedis", "GodwitTesting", "GodwitCLI", "MessagePack",
        "RedisClient", "CGodwitSQLite", "GodwitStreams", "GodwitMonitor", "GodwitHTTP",
        "GodwitProtos", "GodwitGRPC", "GodwitPush", "GodwitIngest", "AWSClient", "SigV4",
        "AudioSignal", "FFmpeg",
    ]
    /// What opens files, sockets or databases.
    static let inputOutput = [
        "NIO", "GRDB", "SQLite", "Subprocess", "ArgumentParser", "RedisClient", "AsyncHTTPClient",
        "Hummingbird", "GRPC",
    ]
    static let brokers: Set<String> = ["GodwitSQLite", "GodwitRedis"]

    struct Import: CustomStringConvertible {
        let file: String
        let target: String
        let module: String
        var description: String { "\(file) imports \(module)" }
    }

    static func imports() throws -> [Import] {
        let sources = package.appendingPathComponent("Sources")
        var found: [Import] = []
        let files = try #require(
            FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
        for case let file as URL in files where file.pathExtension == "swift" {
            let parts = file.path.dropFirst(sources.path.count + 1).split(separator: "/")
            let text = try String(contentsOf: file, encoding: .utf8)
            for line in text.split(separator: "\n") {
                guard let module = module(line) else { continue }
                found.append(
                    Import(
                        file: parts.joined(separator: "/"), target: String(parts[0]), module: module
                    ))
            }
        }
        return found
    }

    /// The module of an import line, whatever stands before and behind it.
    static func module(_ line: some StringProtocol) -> String? {
        let words: [Substring] = String(line).split { $0 == " " || $0 == "\t" }
        guard let index = words.firstIndex(of: "import"), index + 1 < words.count else {
            return nil
        }
        let before = words[..<index]
        let isImport = before.allSatisfy {
            $0.hasPrefix("@")
                || ["public", "package", "internal", "fileprivate", "private"].contains($0)
        }
        guard isImport else { return nil }
        let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let name: Substring? =
            kinds.contains(String(words[index + 1]))
            ? words.dropFirst(index + 2).first : words[index + 1]
        return name.map { String($0.prefix { $0 != "." }) }
    }

    /// What the design forbids, as sentences.
    static func complaints(about imports: [Import]) -> [String] {
        imports.compactMap { line in
            let isOwn = own.contains(line.module)
            let opens = inputOutput.contains { line.module.hasPrefix($0) }
            let reason: String? =
                switch line.target {
                case "MessagePack": isOwn ? "MessagePack knows nothing of queues" : nil
                case "RedisClient": isOwn ? "RedisClient knows nothing of queues" : nil
                case "Godwit" where isOwn && line.module != "MessagePack":
                    "the core imports no store"
                case "Godwit" where opens:
                    "the core imports no I/O"
                case "GodwitSQLite"
                where isOwn && !["Godwit", "CGodwitSQLite"].contains(line.module):
                    "a broker imports only the core"
                case "GodwitRedis" where isOwn && !["Godwit", "RedisClient"].contains(line.module):
                    "a broker imports only the core and its client"
                case "GodwitStreams"
                where isOwn && !["Godwit", "MessagePack"].contains(line.module):
                    "streams are a layer over the seam and know no store"
                case "GodwitMonitor"
                where isOwn && !["Godwit", "MessagePack", "CGodwitSQLite"].contains(line.module):
                    "what watches stands on the seam and knows no store of messages"
                case "GodwitHTTP"
                where isOwn && !["Godwit", "GodwitMonitor"].contains(line.module):
                    "a door stands on the seam and what watches"
                case "GodwitProtos": isOwn ? "what is generated knows nothing of ours" : nil
                case "GodwitGRPC"
                where isOwn && !["Godwit", "GodwitProtos", "MessagePack"].contains(line.module):
                    "the door stands on the seam"
                case "GodwitPush"
                where isOwn
                    && !["Godwit", "GodwitGRPC", "GodwitMonitor", "GodwitProtos"].contains(
                        line.module):
                    "push stands on the worker, the wire and the webhook's signature"
                case "SigV4" where isOwn || opens, "AudioSignal" where isOwn || opens:
                    "arithmetic needs nobody and opens nothing"
                case "AWSClient" where isOwn && line.module != "SigV4":
                    "the client of S3 and SQS knows nothing of queues"
                case "FFmpeg" where isOwn && line.module != "AudioSignal":
                    "the guarded ffmpeg knows nothing of queues"
                case "GodwitIngest"
                where isOwn
                    && !["Godwit", "GodwitMonitor", "AWSClient", "AudioSignal", "FFmpeg"].contains(
                        line.module):
                    "ingestion stands on the seam, its clients and the webhook's sender"
                case "GodwitTesting" where isOwn && line.module != "Godwit":
                    "the testing product knows no concrete broker"
                case "GodwitCLI"
                where brokers.contains(line.module) && line.file != "GodwitCLI/Frame/Compose.swift":
                    "only Compose.swift names concrete brokers"
                case let target where target != "GodwitCLI" && brokers.contains(line.module):
                    "only the command names concrete brokers"
                default: nil
                }
            return reason.map { "\(line): \($0)" }
        }
    }

    @Test func `every import goes along an arrow of the design`() throws {
        let imports = try Self.imports()
        #expect(imports.count > 50)
        #expect(Self.complaints(about: imports) == [])
    }

    @Test(arguments: [
        ("Godwit/X.swift", "import NIOCore"), ("Godwit/X.swift", "internal import GRDB"),
        ("Godwit/X.swift", "@preconcurrency import GodwitSQLite"),
        ("MessagePack/X.swift", "public import Godwit"),
        ("RedisClient/X.swift", "import struct Godwit.Entry"),
        ("GodwitSQLite/X.swift", "import GodwitRedis"),
        ("GodwitRedis/X.swift", "import CGodwitSQLite"),
        ("GodwitCLI/Work.swift", "import GodwitRedis"),
        ("GodwitTesting/X.swift", "import GodwitSQLite"),
        ("GodwitStreams/X.swift", "import RedisClient"),
        ("Godwit/X.swift", "import GodwitStreams"), ("Godwit/X.swift", "import Hummingbird"),
        ("GodwitGRPC/X.swift", "import GodwitRedis"),
        ("GodwitGRPC/X.swift", "import GodwitMonitor"),
        ("GodwitPush/X.swift", "import GodwitSQLite"),
        ("GodwitProtos/X.swift", "import Godwit"), ("Godwit/X.swift", "import GRPCCore"),
        ("GodwitMonitor/X.swift", "import GodwitSQLite"),
        ("GodwitMonitor/X.swift", "import GodwitHTTP"),
        ("GodwitHTTP/X.swift", "import GodwitRedis"),
        ("GodwitSQLite/X.swift", "import GodwitMonitor"),
        ("AudioSignal/X.swift", "import FFmpeg"), ("SigV4/X.swift", "import AsyncHTTPClient"),
        ("AWSClient/X.swift", "import Godwit"), ("FFmpeg/X.swift", "import GodwitIngest"),
        ("GodwitIngest/X.swift", "import GodwitSQLite"),
    ])
    func `an import against the arrows is found`(_ file: String, _ line: String) throws {
        let module = try #require(Self.module(line))
        let target = try #require(file.split(separator: "/").first)
        #expect(
            Self.complaints(about: [.init(file: file, target: String(target), module: module)])
                .count == 1)
    }

    @Test(arguments: [
        ("GodwitCLI/Frame/Compose.swift", "GodwitRedis"), ("GodwitRedis/X.swift", "RedisClient"),
        ("GodwitSQLite/X.swift", "GRDB"), ("Godwit/X.swift", "MessagePack"),
        ("Godwit/X.swift", "Logging"),
    ])
    func `an import along the arrows passes`(_ file: String, _ module: String) throws {
        let target = try #require(file.split(separator: "/").first)
        #expect(
            Self.complaints(about: [.init(file: file, target: String(target), module: module)])
                == [])
    }
}

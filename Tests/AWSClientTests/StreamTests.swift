// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Crypto
import Foundation
import NIOCore
import TestAWS
import Testing

#if os(Linux)
/// Against moto, in a process of its own: `GODWIT_STREAM_MIB=1024 swift test … --filter StreamTests`
/// prints how much memory this process took at most.
@Suite struct `Streams` {
    @Test(.enabled(if: ProcessInfo.processInfo.environment["GODWIT_STREAM_MIB"] != nil))
    func `a long object takes little memory both ways`() async throws {
        let text = ProcessInfo.processInfo.environment["GODWIT_STREAM_MIB"] ?? ""
        let mebibytes = try #require(Int(text))
        let moto = try await MotoServer.start()
        defer { moto.stop() }
        try await withFolder { folder in
            let file = folder.appendingPathComponent("long.wav")
            #expect(FileManager.default.createFile(atPath: file.path, contents: nil))
            let handle = try FileHandle(forWritingTo: file)
            var block = noise(1 << 20)
            for number in 0..<mebibytes {
                block.withUnsafeMutableBytes { $0.storeBytes(of: UInt64(number), as: UInt64.self) }
                try handle.write(contentsOf: block)
            }
            try handle.close()
            let options = AWSOptions(
                region: "us-east-1", endpoint: moto.url,
                credentials: Credentials(accessKeyID: "test", secretAccessKey: "test"),
                environment: [:])
            try await withPool { pool in
                let s3 = try S3(options, pool)
                try await s3.createBucket("music")
                let before = try Self.memory("VmRSS")
                let clock = ContinuousClock()
                let up = try await clock.measure {
                    _ = try await s3.put(file: file.path, "music", "long.wav")
                }
                let between = try Self.memory("VmHWM")
                let copy = folder.appendingPathComponent("copy.wav")
                let down = try await clock.measure {
                    let object = try await s3.download("music", "long.wav", to: copy.path)
                    #expect(object.size == UInt64(mebibytes) << 20)
                }
                let peak = try Self.memory("VmHWM")
                #expect(try Self.hash(file) == Self.hash(copy))
                print(
                    "stream: \(mebibytes) MiB up \(up), down \(down); memory before \(before) KiB, "
                        + "most while up \(between) KiB, most in all \(peak) KiB")
                #expect(peak < 64 << 10)
            }
        }
    }

    private static func memory(_ name: String) throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
        return try #require(line?.split(separator: " ").dropFirst().first.flatMap { Int($0) })
    }

    private static func hash(_ file: URL) throws -> [UInt8] {
        let handle = try FileHandle(forReadingFrom: file)
        var hash = SHA256()
        while let bytes = try handle.read(upToCount: 1 << 20), !bytes.isEmpty {
            bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
        }
        return Array(hash.finalize())
    }
}
#endif

// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitIngest
import GodwitTesting
import Synchronization
import Testing

@Suite struct CrashTests {
    @Test func `Files of a run that died are replaced by those of the next`() async throws {
        try await withScene { scene in
            let runs = Mutex(0)
            let pipeline = scene.pipeline().stage(
                "make", retry: .constant(.seconds(1)),
                Step { _, work in
                    let run = runs.withLock { runs in
                        runs += 1
                        return runs
                    }
                    _ = try await work.emit(Array("tool \(run)".utf8), as: "one.bin")
                    if run == 1 { throw TaskFailure.retry("the power went") }
                })
            try await scene.upload(pipeline)
            try await scene.drain(pipeline)
            scene.test.advance(by: .seconds(2))
            try await scene.drain(pipeline)
            let key = try #require(scene.output.key(ending: "/one.bin"))
            #expect(scene.output.held(key)?.text == "tool 2")
        }
    }

    @Test(arguments: [UInt64.max, UInt64.max / 3, UInt64.max / 3 - 1])
    func `A crafted size costs all there is and traps nowhere`(_ size: UInt64) {
        let track = Track(bucket: "b", key: "k", etag: "e", size: size)
        #expect(Transcoder().cost(of: track).tempBytes > UInt64.max / 2)
    }
}

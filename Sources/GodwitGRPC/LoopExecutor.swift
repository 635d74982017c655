// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Runs tasks on an event loop's thread.
///
/// Why: what gRPC reads and writes happens on that thread anyway, so a call needs no change of threads
/// on its way; and a worker whose handlers fill the cooperative pool still renews its leases.
final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedTaskExecutor()
        loop.execute { job.runSynchronously(on: executor) }
    }
}

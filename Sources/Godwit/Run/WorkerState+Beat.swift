// SPDX-License-Identifier: Apache-2.0

extension WorkerState {
    /// What this worker says of itself: `identity` with what it holds now.
    ///
    /// `clockOffset` turns the worker's times into the store's; `kind` names a message's kind.
    func beat(
        _ identity: WorkerBeat, clockOffset: Duration, kind: (LeasedMessage) -> String
    ) -> WorkerBeat {
        var beat = identity
        beat.busy = runningCount
        beat.held = runningCount + backlog.count + deferred.count
        beat.finished = finishedCount
        beat.failed = failedCount
        beat.isQuiet = isQuiet || phase != .working
        let longest = slots.compactMap(\.self).sorted {
            ($0.startedAt, $0.sequence) < ($1.startedAt, $1.sequence)
        }
        beat.running = longest.prefix(WorkerBeat.mostRunning).map { run in
            WorkerBeat.Running(
                id: "\(run.leased.token.id)", kind: kind(run.leased),
                since: run.startedAt + clockOffset, attempt: Int(run.leased.token.entry.attempt),
                progressedAt: run.lease.progressedAt.map { $0 + clockOffset })
        }
        return beat
    }
}

// SPDX-License-Identifier: Apache-2.0
import Dispatch
public import Godwit
import Logging

/// Queues in one SQLite file: nothing to install, and an accepted message survives a power cut (D2).
///
/// Any number of processes may open the same file, on a local file system. Every call of every
/// process is one part of one durable commit; concurrent calls share commits.
///
///     let broker = try await SQLiteBroker(path: "jobs.db")
///
/// Beside the file stand `-wal` and `-shm`, which are a part of it, and `-lock`, which is empty and
/// may be deleted while nobody has the file open.
public final class SQLiteBroker: Broker {
    public let limits: BrokerLimits
    public let time: any TimeSource
    /// The file, absolute and without symbolic links.
    public let path: String

    let writer: Writer
    let reader: Reader
    let waiters: Waiters

    /// Opens the file, makes it (mode 0600) when it is not there, and brings its tables up to date.
    ///
    /// Throws `misconfigured` when it can't be opened or `synchronous=FULL` does not hold, `corrupt`
    /// when it is not a database or damaged, `storageFull` when there is no room for it.
    public init(
        path: String, time: any TimeSource = SystemTime(), options: SQLiteOptions = SQLiteOptions()
    ) async throws(BrokerError) {
        let opened: Result<Opened, BrokerError> = await withCheckedContinuation { continuation in
            // Why: opening waits for the lock and the disk, which the cooperative pool must not.
            DispatchQueue(label: "godwit.sqlite.open").async {
                continuation.resume(
                    returning: Result { () throws(BrokerError) in
                        try Opened(path: path, time: time, options: options)
                    })
            }
        }
        let parts = try opened.get()
        self.limits = options.limits
        self.time = time
        self.path = parts.reader.path
        writer = parts.writer
        reader = parts.reader
        waiters = parts.waiters
    }

    public var isShutDown: Bool { waiters.isClosed }
    public var `operator`: any Operator { self }
    public var inspector: any Inspector { self }
    public var eventLog: any EventLog { self }
    public var board: any Board { self }

    public func wait(for kinds: [Kind]?, in queue: QueueName, upTo timeout: Duration) async {
        await waiters.wait(for: kinds, in: .queue(queue), upTo: timeout)
    }

    public func shutdown() async {
        waiters.close()
        await writer.close()
        reader.close()
    }

    // MARK: Running a word

    /// Runs `body` in a transaction shared with whoever else calls now; once queued it runs.
    func run<T: Sendable>(
        _ what: @autoclosure @escaping @Sendable () -> String,
        _ body: @escaping @Sendable (Store) throws(StoreFault) -> T
    ) async throws(BrokerError) -> T {
        let result: Result<T, BrokerError> = await withCheckedContinuation { continuation in
            submit(what(), body) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    func submit<T: Sendable>(
        _ what: @autoclosure @escaping @Sendable () -> String,
        _ body: @escaping @Sendable (Store) throws(StoreFault) -> T,
        then: @escaping @Sendable (Result<T, BrokerError>) -> Void
    ) {
        let path = path
        writer.submit(
            Writer.Operation(
                perform: { (store) throws(StoreFault) in
                    let value = try body(store)
                    return { then(.success(value)) }
                },
                fail: { fault, committing in
                    then(.failure(fault.brokerError(what(), at: path, committing: committing)))
                }))
    }
}

// SPDX-License-Identifier: Apache-2.0
import Logging
import NIOCore

/// What is said on a new connection before anybody may use it.
///
/// HELLO 3 with user, password and client name; an older server, which does not know it, gets AUTH
/// and CLIENT SETNAME and stays with RESP2. Then SELECT and every SCRIPT LOAD in one write.
struct Handshake: Sendable {
    let target: Target
    let connection: RedisConnection
    let scripts: [RedisScript]

    func run(within limit: TimeAmount, _ promise: EventLoopPromise<RedisConnection>) {
        let timer = promise.futureResult.eventLoop.scheduleTask(in: limit) {
            promise.fail(target.unavailable("it accepted the connection but did not greet in time"))
        }
        // A promise keeps its first outcome; what comes after the timer changes nothing.
        promise.futureResult.whenComplete { result in
            timer.cancel()
            if case .failure = result { connection.close() }
        }
        connection.submit([hello], timeout: target.configuration.connectTimeout) { result in
            switch result {
            case .failure(let error): promise.fail(lost(error))
            case .success(let replies):
                guard case .error(let text) = replies.first else { return prepare([], promise) }
                let error = RedisError(reply: text, server: connection.server)
                let words = error.text
                if words.hasPrefix("NOPROTO") || words.hasPrefix("ERR unknown command")
                    || words.hasPrefix("NOPERM")
                {
                    prepare(old, promise)
                } else if words.hasPrefix("ERR max number of clients") {
                    promise.fail(target.unavailable(words))
                } else {
                    promise.fail(error)
                }
            }
        }
    }

    private var hello: RedisCommand {
        var command = RedisCommand(["HELLO", "3"])
        if let password = target.url.password {
            command.append(contentsOf: ["AUTH", target.url.user ?? "default", password.value])
        }
        command.append(contentsOf: ["SETNAME", target.configuration.name])
        return command
    }

    /// HELLO's work in older words.
    private var old: [RedisCommand] {
        var commands: [RedisCommand] = []
        if let password = target.url.password {
            let user = target.url.user.map { [$0] } ?? []
            commands.append(RedisCommand(["AUTH"] + user + [password.value]))
        }
        commands.append(RedisCommand(["CLIENT", "SETNAME", target.configuration.name]))
        return commands
    }

    private func prepare(_ first: [RedisCommand], _ promise: EventLoopPromise<RedisConnection>) {
        var commands = first
        var vital = first.map { _ in "AUTH" }
        if !vital.isEmpty { vital[vital.count - 1] = "" }  // the name is a courtesy
        if target.url.database != 0 {
            commands.append(RedisCommand(["SELECT", "\(target.url.database)"]))
            vital.append("SELECT")
        }
        for script in scripts {
            commands.append(RedisCommand(["SCRIPT", "LOAD", script.source]))
            vital.append("script \(script.name)")
        }
        guard !commands.isEmpty else { return promise.succeed(connection) }
        connection.submit(commands, timeout: target.configuration.connectTimeout) {
            [vital] result in
            switch result {
            case .failure(let error): promise.fail(lost(error))
            case .success(let replies):
                for (reply, what) in zip(replies, vital) {
                    guard case .error(let text) = reply, !what.isEmpty else { continue }
                    let error = RedisError(reply: text, server: connection.server)
                    if error.kind == .noPermission, what.hasPrefix("script") {
                        target.logger.warning(
                            "SCRIPT LOAD is forbidden, scripts travel as EVAL at first use",
                            metadata: ["server": "\(connection.server)", "what": "\(what)"])
                        continue
                    }
                    return promise.fail(
                        RedisError(error.kind, "\(what): \(error.text)", server: error.server))
                }
                promise.succeed(connection)
            }
        }
    }

    /// Nothing of the caller's was sent yet, so a connection lost here is never `unknown`.
    private func lost(_ error: RedisError) -> RedisError {
        error.kind == .unknown ? target.unavailable(error.text) : error
    }
}

// SPDX-License-Identifier: Apache-2.0
public import Foundation

/// A program just started, with an empty signal mask and no descriptor of ours but its three.
///
/// Why not Foundation's `Process`: its child inherits the signal mask of the thread that starts it,
/// and on a task's thread SIGTERM is blocked; waiting takes a run loop per thread; and with many
/// descriptors open it reads past the end of a directory's list and crashes now and then. Why none
/// of ours: an accepted socket that a child holds too does not close when we close it.
public struct Spawned: Sendable {
    /// Why a program could not be started.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    public let pid: pid_t

    /// Starts `path`; `environment` nil is our own. In another directory a shell goes there first.
    public init(
        _ path: String, _ arguments: [String], environment: [String: String]? = nil,
        in directory: String? = nil, input: Int32, output: Int32, errors: Int32
    ) throws {
        #if os(Linux)
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        #else
        var actions: posix_spawn_file_actions_t?
        var attributes: posix_spawnattr_t?
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        for (place, descriptor) in [input, output, errors].enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(place))
        }
        var flags = Int32(POSIX_SPAWN_SETSIGMASK)
        #if canImport(Darwin)
        flags |= Int32(POSIX_SPAWN_CLOEXEC_DEFAULT)
        #else
        Self.closeFrom?(&actions, 3)
        #endif
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var command = [path] + arguments
        if let directory {
            command = ["/bin/sh", "-c", #"cd "$0" && exec "$@""#, directory] + command
        }
        var words = Self.pointers(command)
        var values = environment.map { Self.pointers($0.map { "\($0.key)=\($0.value)" }) } ?? []
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
            for word in words + values { free(word) }
        }
        var child: pid_t = 0
        let failure =
            environment == nil
            ? posix_spawn(&child, command[0], &actions, &attributes, &words, environ)
            : posix_spawn(&child, command[0], &actions, &attributes, &words, &values)
        guard failure == 0 else {
            throw Failure(
                description: """
                    \(path) does not start: \(String(cString: strerror(failure))). Is it built? \
                    `swift build --build-tests` builds it.
                    """)
        }
        pid = child
    }

    /// The two ends of a new pipe.
    public static func pipe() throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [0, 0]
        guard Foundation.pipe(&ends) == 0 else {
            throw Failure(description: "no pipe: \(String(cString: strerror(errno)))")
        }
        // Why: a child of another library must not hold our ends open, or end of file never comes.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func pointers(_ words: [String]) -> [UnsafeMutablePointer<CChar>?] {
        words.map { strdup($0) } + [nil]
    }

    #if os(Linux)
    private typealias CloseFrom =
        @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32

    /// In glibc from 2.34 on; its header shows it to no Swift program.
    private static let closeFrom: CloseFrom? = {
        guard let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else {
            return nil
        }
        return unsafeBitCast(symbol, to: CloseFrom.self)
    }()
    #endif
}

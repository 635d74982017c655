// SPDX-License-Identifier: Apache-2.0
package import SystemPackage

/// The chain of small programs that a tool is started through; each sets one thing and becomes the next.
///
///     setpriv --pdeathsig KILL → prlimit … → unshare --net --pid … → setpriv --no-new-privs … → ffmpeg
///
/// All are of util-linux. `setpriv` asks the kernel to kill the tool when the *thread* that forked it
/// ends (`prctl(2)`, PR_SET_PDEATHSIG): swift-subprocess forks from one thread that it keeps until the
/// process exits, so that is the life of the process. The request survives `execve`, not `fork`: the one
/// fork is that of `unshare --fork`, which makes the same request for its child (`--kill-child`), and
/// that child is the first process of its own PID namespace, with which all its descendants die.
///
/// Not there: a bound on processes (RLIMIT_NPROC counts all of a user's, and root's never), an own user, a
/// mount namespace or Landlock. The tool reads every file that the worker may read: run it as nobody.
package struct Cage: Sendable, Hashable {
    /// Where the programs are.
    package struct Programs: Sendable, Hashable {
        package var setpriv: FilePath
        package var prlimit: FilePath
        /// Nil where there is none: then nothing is kept from the network but by whitelists.
        package var unshare: FilePath?

        package init(setpriv: FilePath, prlimit: FilePath, unshare: FilePath?) {
            self.setpriv = setpriv
            self.prlimit = prlimit
            self.unshare = unshare
        }
    }

    /// Which namespaces are left, strongest first.
    package enum Walls: String, Sendable, Hashable, CaseIterable {
        /// Own network, IPC and PIDs; needs CAP_SYS_ADMIN.
        case namespaces = "own network, IPC and process namespaces"
        /// The same within a user namespace, where the host lets anybody make one.
        case userNamespaces = "own user, network, IPC and process namespaces"
        case network = "own network namespace"
        case none = "no namespaces: ffmpeg could reach the network if its whitelists failed"

        var arguments: [String] {
            let own = [
                "--net", "--ipc", "--pid", "--fork", "--kill-child=KILL",
            ]
            return switch self {
            case .namespaces: own
            case .userNamespaces: ["--user", "--map-current-user"] + own
            case .network: ["--net"]
            case .none: []
            }
        }
    }

    /// Which privileges are dropped, strongest first.
    package enum Privileges: String, Sendable, Hashable, CaseIterable {
        case none = "no capabilities, no new privileges"
        case noNew = "no new privileges"
        case kept = "privileges kept"

        var arguments: [String] {
            switch self {
            case .none: ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
            case .noNew: ["--no-new-privs"]
            case .kept: []
            }
        }
    }

    package var programs: Programs
    package var walls: Walls
    package var privileges: Privileges

    package init(programs: Programs, walls: Walls, privileges: Privileges) {
        self.programs = programs
        self.walls = walls
        self.privileges = privileges
    }

    /// What to run, and its arguments, so that `tool` runs inside.
    package func command(
        _ tool: FilePath, _ arguments: [String], within limits: Limits
    ) -> (executable: FilePath, arguments: [String]) {
        var chain = ["--pdeathsig", "KILL", "--", programs.prlimit.string]
        chain += [
            "--as=\(limits.memory)", "--fsize=\(limits.fileBytes)",
            "--cpu=\(limits.cpu):\(limits.cpu + 2)", "--nofile=\(limits.openFiles)", "--core=0",
            "--",
        ]
        if let unshare = programs.unshare, walls != .none {
            chain += [unshare.string] + walls.arguments + ["--"]
        }
        if privileges != .kept {
            chain += [programs.setpriv.string] + privileges.arguments + ["--"]
        }
        return (programs.setpriv, chain + [tool.string] + arguments)
    }

    package var description: String { "\(walls.rawValue); \(privileges.rawValue)" }
}

// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Listens on loopback and counts who connects.
final class Listener {
    let port: Int
    private let socket: Int32

    init() throws {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, length) == 0 && listen(socket, 64) == 0
                    && getsockname(socket, $0, &length) == 0
            }
        }
        guard bound else { throw Broken(text: "no socket on loopback: errno \(errno)") }
        self.socket = socket
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(socket) }

    /// How many have connected since the last call. They are hung up on.
    func connections() -> Int {
        var count = 0
        while true {
            let one = accept(socket, nil, nil)
            guard one >= 0 else { return count }
            close(one)
            count += 1
        }
    }
}

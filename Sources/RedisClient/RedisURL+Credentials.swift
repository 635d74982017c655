// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension RedisURL {
    /// The same URL with what it lacks filled in, and refused where it would leak a password.
    ///
    /// The password is the URL's, else the first line of its `password-file`, else
    /// `GODWIT_REDIS_PASSWORD`; the user is the URL's, else `GODWIT_REDIS_USER` (with the
    /// environment's password only). So nothing secret has to stand on a command line, where every
    /// process of the machine can read it.
    public func resolved(
        environment: (String) -> String? = RedisURL.environment
    ) throws(RedisError) -> RedisURL {
        var url = self
        if url.password == nil, let file = passwordFile {
            url.password = Secret(try Self.firstLine(of: file))
        }
        if url.password == nil, let word = environment("GODWIT_REDIS_PASSWORD"), !word.isEmpty {
            url.password = Secret(word)
            if url.user == nil, let name = environment("GODWIT_REDIS_USER"), !name.isEmpty {
                url.user = name
            }
        }
        if url.user != nil, url.password == nil {
            throw RedisError(
                .invalid,
                "The URL names a user but there is no password; give one in the URL, in a "
                    + "password-file or in GODWIT_REDIS_PASSWORD", server: server)
        }
        guard url.password == nil || url.isPrivate else {
            throw RedisError(
                .invalid,
                "A password would cross the network in plain text; use rediss:// (TLS), a Unix "
                    + "socket, or a tunnel that ends on 127.0.0.1", server: server)
        }
        return url
    }

    /// A variable of this process.
    public static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    private static func firstLine(of file: String) throws(RedisError) -> String {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw RedisError(
                .invalid,
                "The password file '\(file)' cannot be read: \(String(cString: strerror(errno))); "
                    + "check its path and rights")
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        var count = 0
        while count < bytes.count {
            let more = bytes.withUnsafeMutableBytes { buffer in
                read(descriptor, buffer.baseAddress?.advanced(by: count), buffer.count - count)
            }
            if more < 0, errno == EINTR { continue }
            guard more > 0 else { break }
            count += more
        }
        let line = bytes[..<count].prefix { $0 != 10 && $0 != 13 }
        guard !line.isEmpty, line.count < 4096 else {
            throw RedisError(
                .invalid, "The password file '\(file)' holds no password in its first line")
        }
        return String(decoding: line, as: UTF8.self)
    }
}

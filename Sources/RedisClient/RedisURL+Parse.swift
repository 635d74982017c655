// SPDX-License-Identifier: Apache-2.0

extension RedisURL {
    /// Reads a URL; looks at no file, environment or network.
    ///
    /// - Throws: `RedisError` of kind `invalid` that names the part and never repeats the password.
    public init(_ text: String) throws(RedisError) {
        guard let colon = text.firstRange(of: "://") else {
            throw .url("it has no scheme; it begins with redis://, rediss:// or redis+unix://")
        }
        let scheme = text[..<colon.lowerBound].lowercased()
        var rest = text[colon.upperBound...]
        if rest.contains("#") { throw .url("it has a '#'; write %23 where a password has one") }
        var query: Substring = ""
        if let mark = rest.firstIndex(of: "?") {
            query = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var host = rest[..<slash]
        let path = rest[slash...]
        var user: String?
        var password: Secret?
        if let at = host.lastIndex(of: "@") {
            let credentials = host[..<at]
            host = host[host.index(after: at)...]
            let split = credentials.firstIndex(of: ":") ?? credentials.endIndex
            let name = try Self.decode(credentials[..<split], "user")
            if !name.isEmpty { user = name }
            if split < credentials.endIndex {
                let word = try Self.decode(
                    credentials[credentials.index(after: split)...], "password")
                if !word.isEmpty { password = Secret(word) }
            }
        }
        switch scheme {
        case "redis", "rediss":
            let (name, port) = try Self.authority(host)
            self.init(
                scheme == "redis" ? .tcp(host: name, port: port) : .tls(host: name, port: port))
            let number = path.dropFirst()
            if !number.isEmpty { database = try Self.database(number) }
        case "redis+unix":
            guard host.isEmpty, path.count > 1 else {
                throw .url("a Unix socket has an absolute path: redis+unix:///path/to/socket")
            }
            let path = try Self.decode(path, "path")
            guard path.utf8.count < 104 else {
                throw .url("the socket's path has \(path.utf8.count) bytes; systems allow 103")
            }
            self.init(.unix(path: path))
        default:
            throw .url("the scheme '\(scheme)' is none of redis, rediss, redis+unix")
        }
        self.user = user
        self.password = password
        try take(query)
    }

    private mutating func take(_ query: Substring) throws(RedisError) {
        for item in query.split(separator: "&") {
            let split = item.firstIndex(of: "=") ?? item.endIndex
            let key = try Self.decode(item[..<split], "query")
            let value = try Self.decode(item[split...].dropFirst(), "query")
            switch key {
            case "db": database = try Self.database(value[...])
            case "password-file": passwordFile = value
            case "ca-file": authorityFile = value
            case "password":
                throw .url("a password is no query item; use user:password@ or password-file=")
            default: options[key] = value
            }
        }
    }

    private static func authority(_ text: Substring) throws(RedisError) -> (String, Int) {
        var name = text
        var port: Substring?
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else {
                throw .url("an IPv6 address lacks its ']'")
            }
            name = text[text.index(after: text.startIndex)..<close]
            let after = text[text.index(after: close)...]
            guard after.isEmpty || after.hasPrefix(":") else {
                throw .url("after ']' comes ':port' or nothing")
            }
            port = after.isEmpty ? nil : after.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            name = text[..<colon]
            port = text[text.index(after: colon)...]
            if port?.contains(":") == true { throw .url("write an IPv6 address in brackets") }
        }
        let host = try decode(name, "host")
        guard !host.isEmpty, !host.utf8.contains(where: { $0 <= 32 || $0 == 127 }) else {
            throw .url("it names no host")
        }
        guard let port else { return (host, 6379) }
        guard let number = UInt16(port), number > 0 else {
            throw .url("the port is not 1 to 65535")
        }
        return (host, Int(number))
    }

    private static func database(_ text: Substring) throws(RedisError) -> Int {
        guard let number = UInt32(text) else {
            throw .url("the database is not a number from 0 on")
        }
        return Int(number)
    }

    /// Undoes percent-encoding.
    private static func decode(_ text: Substring, _ part: String) throws(RedisError) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == 0x25 else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit),
                let low = rest.popFirst().flatMap(digit)
            else { throw .url("a '%' in the \(part) is not followed by two hexadecimal digits") }
            bytes.append(high << 4 | low)
        }
        guard !bytes.contains(0), let decoded = String(validating: bytes, as: UTF8.self) else {
            throw .url("the \(part) is not UTF-8 text")
        }
        return decoded
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}

extension RedisError {
    fileprivate static func url(_ text: String) -> RedisError {
        RedisError(.invalid, "This is not a Redis URL: \(text).")
    }
}

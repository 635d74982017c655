// SPDX-License-Identifier: Apache-2.0
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file that a tool may be given: a regular one, not a link, of a kind that is let in.
///
/// The caller keeps it in a folder of its own, under a name of its own making, and changes nothing
/// while it is read: between this look and the tool's opening lies a moment.
package struct InputFile: Sendable, Hashable {
    /// Absolute.
    package let path: String
    package let kind: MediaKind
    package let bytes: Int64
    /// Of MP3 only.
    package let gapless: Gapless?

    package init(_ file: FilePath) throws(MediaFailure) {
        path = try Self.absolute(file)
        let descriptor = try Self.open(file)
        defer { try? descriptor.close() }
        bytes = try Self.regularSize(descriptor)
        guard bytes > 0 else { throw .invalid(MediaFault("the file is empty")) }
        var head = try Self.read(descriptor, at: 0)
        let tag = MediaKind.tagLength(head)
        if tag > 0 { head = try Self.read(descriptor, at: Int64(tag)) }
        guard let kind = MediaKind(head: head) else {
            throw .invalid(
                MediaFault(
                    "its first bytes are of no format that is let in: "
                        + MediaKind.allCases.map(\.rawValue).joined(separator: ", ")))
        }
        self.kind = kind
        gapless = kind == .mp3 ? Gapless(head: head) : nil
    }

    /// As ffmpeg is told it. Why the prefix: without it a colon in the path would end a protocol's name.
    package var url: String { "file:" + path }

    private static func absolute(_ file: FilePath) throws(MediaFailure) -> String {
        let text = file.string
        guard FilePath(text) == file else {
            throw .invalid(
                MediaFault("the file's name is not UTF-8; copy it to a name of your own making"))
        }
        if file.isAbsolute { return text }
        guard let here = getcwd(nil, 0) else {
            throw .retry(MediaFault("the working directory is gone"))
        }
        defer { free(here) }
        return FilePath(String(cString: here)).pushing(file).string
    }

    private static func open(_ file: FilePath) throws(MediaFailure) -> FileDescriptor {
        do {
            // Without waiting: a FIFO would keep us here.
            return try FileDescriptor.open(
                file, .readOnly, options: [.noFollow, .closeOnExec, .nonBlocking])
        } catch let error as Errno {
            switch error {
            case .tooManySymbolicLinkLevels:
                throw .invalid(MediaFault("it is a symbolic link, and links are not followed"))
            case .fileNameTooLong, .notDirectory:
                throw .invalid(MediaFault("it can not be opened: \(error)"))
            case .permissionDenied:
                throw .config(MediaFault("it can not be opened: \(error)"))
            default: throw .retry(MediaFault("it can not be opened: \(error)"))
            }
        } catch {
            throw .retry(MediaFault("it can not be opened: \(error)"))
        }
    }

    private static func regularSize(
        _ descriptor: FileDescriptor
    ) throws(MediaFailure) -> Int64 {
        var status = stat()
        guard fstat(descriptor.rawValue, &status) == 0 else {
            throw .retry(MediaFault("it can not be looked at: \(Errno(rawValue: errno))"))
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .invalid(MediaFault("it is not a regular file"))
        }
        return Int64(status.st_size)
    }

    private static func read(
        _ descriptor: FileDescriptor, at offset: Int64
    ) throws(MediaFailure) -> [UInt8] {
        do {
            return try [UInt8](unsafeUninitializedCapacity: MediaKind.headLength) { buffer, count in
                while count < buffer.count {
                    let more = try descriptor.read(
                        fromAbsoluteOffset: offset + Int64(count),
                        into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...]))
                    if more == 0 { break }
                    count += more
                }
            }
        } catch {
            throw .retry(MediaFault("it can not be read: \(error)"))
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
public import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

extension IntakeRules {
    /// True when an object may be an input by its name: it is no folder and no result of ours.
    public func takes(_ key: String, in bucket: String) -> Bool {
        verdict(on: ObjectEvent(bucket: bucket, key: key)) == nil
    }
}

extension IntakeRules.Output {
    /// What is written below `prefix` of a bucket from which inputs below `source` are read.
    ///
    /// Throws ``TaskFailure`` where that covers the whole source: every upload would be taken for a
    /// result, and its announcement thrown away.
    public static func bucket(
        _ bucket: String, prefix: String, source: String
    ) throws(TaskFailure) -> IntakeRules.Output {
        let prefix = folder(prefix)
        guard !folder(source).utf8.starts(with: prefix.utf8) else {
            throw .config(
                "out is s3://\(bucket)/\(prefix), and the source lies below it, so that no upload could be told from a result: name another prefix or bucket for the results"
            )
        }
        return IntakeRules.Output(bucket: bucket, prefix: prefix)
    }

    /// What is written to `path`, where it lies below the directory `source`, with links followed; nil
    /// where it lies elsewhere. `bucket` is how announcements name the source.
    ///
    /// Throws ``TaskFailure`` where both are one folder.
    public static func folder(
        _ path: FilePath, in source: FilePath, named bucket: String
    ) throws(TaskFailure) -> IntakeRules.Output? {
        let out = real(path)
        let home = real(source)
        guard out != home else {
            throw .config(
                "\(path.string) and the source \(source.string) are the same folder, so that results would be taken as input: name another folder, which may lie below the source"
            )
        }
        var rest = out
        guard rest.removePrefix(home) else { return nil }
        return IntakeRules.Output(bucket: bucket, prefix: rest.string + "/")
    }

    private static func folder(_ prefix: String) -> String {
        prefix.isEmpty || prefix.hasSuffix("/") ? prefix : prefix + "/"
    }

    /// With every link followed. Of what is not there yet, as much as there is.
    private static func real(_ path: FilePath) -> FilePath {
        var there = path.lexicallyNormalized()
        var rest: [FilePath.Component] = []
        while true {
            if let text = realpath(there.string, nil) {
                defer { free(text) }
                var found = FilePath(platformString: text)
                for component in rest.reversed() { found.append(component) }
                return found
            }
            guard let last = there.lastComponent else { return path }
            rest.append(last)
            there.removeLastComponent()
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import PrintFleet

/// The lines that were no readings: where each stood, why, and its bytes.
final class Rejects {
    private let handle: FileHandle
    private let path: String
    private var buffer: [UInt8] = []

    /// Opens a file to append to.
    init(path: String) throws {
        self.path = path
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw Wrong(
                what:
                    "can't write \(path): \(String(cString: strerror(errno))). Give --rejects a file."
            )
        }
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    /// One JSON line, in the file from the next ``flush()`` on. Bytes that are text stand in `line`, others in `base64`; of a line that is too
    /// long its beginning.
    func add(_ line: LineSplitter.Line, _ source: String, _ reason: RejectReason) throws {
        var json = JSONWriter()
        json.open()
        json.field("source", source)
        json.field("number", line.number)
        json.field("reason", reason.code)
        json.field("text", reason.text)
        json.field("bytes", line.length)
        let kept = [UInt8](line.bytes)
        if let text = String(validating: kept, as: UTF8.self) {
            json.field("line", text)
        } else {
            json.field("base64", Data(kept).base64EncodedString())
        }
        json.close()
        json.endLine()
        buffer += json.bytes
        if buffer.count > 1 << 20 { try flush() }
    }

    func flush() throws {
        if buffer.isEmpty { return }
        do {
            try handle.write(contentsOf: Data(buffer))
        } catch {
            throw Wrong(what: "can't write \(path): \(error.localizedDescription)")
        }
        buffer.removeAll(keepingCapacity: true)
    }
}

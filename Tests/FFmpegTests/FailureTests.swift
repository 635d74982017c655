// SPDX-License-Identifier: Apache-2.0
import FFmpeg
import Testing

@Suite struct `Failure` {
    struct Case: Sendable, CustomTestStringConvertible {
        var status: ToolEnd.Status
        var stop: Stop?
        var text = ""
        var elapsed: Duration = .seconds(1)
        var word: String?
        var testDescription: String { "\(status) \(stop.map { "\($0)" } ?? "") \(text) \(elapsed)" }
    }

    static let table: [Case] = [
        Case(status: .exited(0), word: nil),
        Case(status: .exited(0), text: "Error while decoding stream #0:0\n", word: nil),
        Case(
            status: .exited(1), text: "x: Invalid data found when processing input\n",
            word: "invalid"),
        Case(
            status: .exited(1), text: "[hls @ 0x1] Format not on whitelist 'wav'\n", word: "invalid"
        ),
        Case(
            status: .exited(1), text: "[png @ 0x1] Codec (png) not on whitelist 'aac'\n",
            word: "invalid"),
        Case(status: .exited(1), text: "Stream map '0:a:0' matches no streams.\n", word: "invalid"),
        Case(status: .exited(1), text: "file:/x: End of file\n", word: "invalid"),
        Case(status: .exited(69), text: "Conversion failed!\n", word: "invalid"),
        Case(
            status: .exited(1), text: "av_interleaved_write_frame(): No space left on device\n",
            word: "retry"),
        Case(
            status: .exited(1), text: "title: No space left on device, he said\n", word: "invalid"),
        Case(status: .exited(1), text: "file:/x: Disk quota exceeded\n", word: "retry"),
        Case(status: .exited(1), text: "file:/x: Cannot allocate memory\n", word: "limit"),
        Case(
            status: .exited(1), text: "av_interleaved_write_frame(): File too large\n",
            word: "limit"),
        Case(status: .exited(1), text: "Unknown encoder 'libopus'\n", word: "config"),
        Case(
            status: .exited(1), text: "setpriv: failed to execute /x: No such file\n",
            word: "config"),
        Case(
            status: .exited(1), text: "unshare: sigprocmask unblock failed: Invalid argument\n",
            word: "retry"),
        Case(
            status: .exited(1), text: "unshare: sigprocmask unblock failed: Invalid argument\n",
            elapsed: .seconds(63), word: "limit"),
        Case(status: .exited(127), text: "setpriv: failed\n", word: "config"),
        Case(
            status: .exited(1), text: "unshare: unshare failed: Operation not permitted\n",
            word: "config"),
        Case(status: .exited(1), text: "file:/x: Permission denied\n", word: "config"),
        Case(status: .exited(1), text: "file:/x: No such file or directory\n", word: "retry"),
        Case(status: .exited(255), word: "retry"),
        Case(status: .exited(255), elapsed: .seconds(61), word: "limit"),
        Case(status: .killed(9), word: "retry"),
        Case(status: .killed(9), elapsed: .seconds(66), word: "limit"),
        Case(status: .killed(15), word: "retry"),
        Case(status: .killed(24), word: "limit"),
        Case(status: .killed(25), word: "limit"),
        Case(status: .killed(11), word: "invalid"),
        Case(status: .killed(6), word: "invalid"),
        Case(status: .killed(31), word: "invalid"),
        Case(status: .killed(9), stop: .wallClock, word: "retry"),
        Case(status: .exited(255), stop: .stalled, word: "retry"),
        Case(status: .exited(0), stop: .output, word: "limit"),
        Case(status: .killed(9), stop: .reader, word: "retry"),
    ]

    @Test(arguments: table)
    func `each ending has its class`(_ one: Case) {
        let end = ToolEnd(
            status: one.status, stop: one.stop, elapsed: one.elapsed, errorText: one.text)
        let failure = end.failure(of: "ffmpeg")
        #expect(failure?.word == one.word)
        if let fault = failure?.fault { #expect(fault.errorText == one.text) }
    }
}

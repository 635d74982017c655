// SPDX-License-Identifier: Apache-2.0

/// How a run ended: all that its failure class is judged by.
package struct ToolEnd: Sendable, Hashable {
    package enum Status: Sendable, Hashable {
        case exited(Int32)
        case killed(Int32)
    }

    package var status: Status
    /// Why we ended it; nil when it ended by itself or by somebody else.
    package var stop: Stop?
    package var elapsed: Duration
    /// Seconds of processor time that it had.
    package var cpuLimit: Int
    /// The last 4 KiB of standard error; hostile text.
    package var errorText: String
    package var decodeErrors: Int

    package init(
        status: Status, stop: Stop? = nil, elapsed: Duration = .zero, cpuLimit: Int = 60,
        errorText: String = "", decodeErrors: Int = 0
    ) {
        self.status = status
        self.stop = stop
        self.elapsed = elapsed
        self.cpuLimit = cpuLimit
        self.errorText = errorText
        self.decodeErrors = decodeErrors
    }

    /// The class of the failure, nil when there is none.
    ///
    /// The text is of use only where the status says too little, and what it says is not trusted: the
    /// worst that a forged line does is to have the file tried again.
    package func failure(of tool: String) -> MediaFailure? {
        switch (stop, status) {
        case (.reader?, _): .retry(fault("\(tool) was ended: \(Stop.reader.rawValue)"))
        // Why again: a busy machine or a slow disk does this to good files. Attempts bound it.
        case (.stalled?, _): .retry(fault("\(tool) was ended: \(Stop.stalled.rawValue)"))
        case (.wallClock?, _): .retry(fault("\(tool) was ended: \(Stop.wallClock.rawValue)"))
        case (let stop?, _): .limit(fault("\(tool) was ended: \(stop.rawValue)"))
        case (nil, .exited(0)): nil
        case (nil, .killed(let signal)): killed(by: signal, tool)
        case (nil, .exited(let code)): exited(with: code, tool)
        }
    }

    /// Signal numbers of Linux, which are the same on all machines we run on.
    private func killed(by signal: Int32, _ tool: String) -> MediaFailure {
        switch signal {
        case 24: .limit(fault("\(tool) used more processor time than allowed"))
        case 25: .limit(fault("\(tool) wrote a larger file than allowed"))
        case 4, 6, 7, 8, 11, 31:
            .invalid(fault("\(tool) crashed on this file (signal \(signal))"))
        case 9 where outOfTime:
            .limit(fault("\(tool) used more processor time than allowed"))
        default: .retry(fault("\(tool) was killed from outside (signal \(signal))"))
        }
    }

    private func exited(with code: Int32, _ tool: String) -> MediaFailure {
        // What unshare of util-linux 2.38 says where its child was killed (and then it exits with 1).
        if code == 1, errorText.contains("unshare: sigprocmask unblock failed") {
            return killed(by: 9, tool)
        }
        // 255: ffmpeg caught a signal. The kernel's for the processor time, unless there was plenty.
        if code == 255, errorText.isEmpty || errorText.contains("received signal") {
            return outOfTime
                ? .limit(fault("\(tool) used more processor time than allowed"))
                : .retry(fault("\(tool) was ended from outside"))
        }
        let lines = errorText.split(separator: "\n")
        func ends(_ text: String) -> Bool { lines.contains { $0.hasSuffix(text) } }
        func begins(_ texts: String...) -> Bool {
            lines.contains { line in texts.contains { line.hasPrefix($0) } }
        }
        if [126, 127].contains(code) || begins("setpriv: ", "prlimit: ", "unshare: ") {
            return .config(fault("\(tool) could not be started within its limits"))
        }
        if ends("No space left on device") || ends("Disk quota exceeded") {
            return .retry(fault("the disk is full"))
        }
        if ends("Cannot allocate memory") || errorText.contains("std::bad_alloc") {
            return .limit(fault("\(tool) needed more memory than allowed"))
        }
        if ends("File too large") {
            return .limit(fault("\(tool) wrote a larger file than allowed"))
        }
        if begins("Unknown encoder", "Unrecognized option", "Unknown decoder")
            || errorText.contains("No such filter")
            || errorText.contains("Requested output format")
            || errorText.contains("error while loading shared libraries")
            || ends("Encoder not found")
        {
            return .config(fault("this \(tool) lacks something that we ask of it"))
        }
        if ends("No such file or directory") || ends("Too many open files") {
            return .retry(fault("\(tool) could not open its file"))
        }
        if ends("Permission denied") {
            return .config(fault("\(tool) may not read its file"))
        }
        if errorText.contains("ot on whitelist") {
            return .invalid(fault("it holds a format or codec that is not let in"))
        }
        if errorText.contains("matches no streams")
            || errorText.contains("does not contain any stream")
        {
            return .invalid(fault("it holds no audio"))
        }
        return .invalid(fault("\(tool) can not read it"))
    }

    /// One thread can not have used more time than has passed.
    private var outOfTime: Bool { elapsed >= .seconds(cpuLimit) }

    private func fault(_ reason: String) -> MediaFault {
        let code: Int32? = if case .exited(let code) = status { code } else { nil }
        return MediaFault(reason, exitCode: code, errorText: errorText)
    }
}

// SPDX-License-Identifier: Apache-2.0

/// The onset envelope of a sound of any length, in bounded memory: minutes, evenly spread.
///
/// Up to 32 minutes are kept whole. When a 33rd begins every second one is forgotten, and from then on
/// only every second one is kept, and so on: of ten hours every 32nd minute remains. At most 6.2 MB.
/// Each kept minute is analysed for itself, so gaps between them do no harm.
package struct OnsetHistory: Sendable {
    package private(set) var minutes: [[Onset]] = []
    private let framesPerMinute: Int
    private var stride = 1
    private var minute = 0
    private var frame = 0

    package static let most = 32

    package init(rate: Double) { framesPerMinute = max(1, Int(rate * 60)) }

    package mutating func append(_ onset: Onset) {
        if frame == framesPerMinute { (minute, frame) = (minute + 1, 0) }
        frame += 1
        guard minute % stride == 0 else { return }
        if frame == 1 {
            if minutes.count == Self.most {
                minutes = Swift.stride(from: 0, to: minutes.count, by: 2).map { minutes[$0] }
                stride *= 2
            }
            minutes.append([])
        }
        minutes[minutes.count - 1].append(onset)
    }
}

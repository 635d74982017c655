// SPDX-License-Identifier: Apache-2.0

/// The greatest magnitude among some samples; what is no number counts as 0, and infinity as itself.
@inline(__always) func greatestMagnitude(_ start: UnsafePointer<Float>, _ count: Int) -> Float {
    let raw = UnsafeRawPointer(start)
    let whole = count / 8 * 8
    var highs = SIMD8<Float>(repeating: 0)
    var lows = highs
    for index in stride(from: 0, to: whole, by: 8) {
        let values = raw.loadUnaligned(fromByteOffset: index * 4, as: SIMD8<Float>.self)
        highs.replace(with: values, where: values .> highs)
        lows.replace(with: values, where: values .< lows)
    }
    var greatest: Float = 0
    for lane in 0..<8 { greatest = max(greatest, highs[lane], -lows[lane]) }
    for index in whole..<count where abs(start[index]) > greatest { greatest = abs(start[index]) }
    return greatest
}

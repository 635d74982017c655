// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Testing

@Suite struct `Sample conversion` {
    /// Each float alone in a pixel, so that the pixel is the integer it became.
    private func integers(_ samples: [Float], _ kind: AudioFormat.Samples) throws -> [Int] {
        let doubled = samples.flatMap { [$0, $0] }
        let waveform = try drawn(
            doubled, kind, .init(zoom: .samplesPerPixel(2)))
        return (0..<waveform.length).map { Int(waveform.pair($0).minimum) }
    }

    private func clamped(_ value: Double) -> Int { Int(max(-32_768, min(32_767, value))) }

    /// Around every integer and half, where rules differ, and some anywhere.
    private let edges: [Float] = {
        var dice = Dice(4)
        var all: [Float] = [0, -0.0, 1, -1, 1.5, -1.5, 1e9, -1e9, 1e-30, -1e-30]
        for _ in 0..<4_000 {
            let half = Float(Int.random(in: -65_536...65_536, using: &dice)) / 2
            for scale in [Float(32_767), 32_768] {
                all += [half / scale, (half / scale).nextUp, (half / scale).nextDown]
            }
            all.append(Float.random(in: -1...1, using: &dice))
        }
        return all
    }()

    @Test func `integers of 16 bits and less are themselves`() throws {
        let values = (-32_768...32_767).map { Float($0) / 32_768 }
        #expect(try integers(values, .integer(bits: 16)) == Array(-32_768...32_767))
        let small = (-128...127).map { Float($0) / 128 }
        #expect(try integers(small, .integer(bits: 8)) == (-128...127).map { $0 * 256 })
    }

    @Test func `deeper integers keep their top 16 bits`() throws {
        var dice = Dice(5)
        let values =
            (0..<20_000).map { _ in Int.random(in: -8_388_608...8_388_607, using: &dice) }
            + [-1, 0, 255, 256, -256, -257, 8_388_607, -8_388_608]
        let got = try integers(values.map { Float($0) / 8_388_608 }, .integer(bits: 24))
        #expect(got == values.map { $0 >> 8 })
        #expect(
            try integers(edges.filter { abs($0) >= 1e-9 || $0 == 0 }, .integer(bits: 32))
                == edges.filter { abs($0) >= 1e-9 || $0 == 0 }
                .map { clamped((Double($0) * 32_768).rounded(.down)) })
    }

    @Test func `floats are truncated after the exact product with 32,767`() throws {
        let expected = edges.map { sample in
            clamped((max(-1, min(1, Double(sample))) * 32_767).rounded(.towardZero))
        }
        #expect(try integers(edges, .float) == expected)
    }

    @Test func `what a lossy decoder computed is rounded`() throws {
        let expected = edges.map { clamped((Double($0) * 32_768).rounded(.toNearestOrEven)) }
        #expect(try integers(edges, .lossy) == expected)
    }

    @Test(arguments: [
        AudioFormat.Samples.integer(bits: 16), .integer(bits: 24), .float, .lossy,
    ])
    func `what is no number is silence and what is too loud is full scale`(
        _ kind: AudioFormat.Samples
    ) throws {
        let lowest = kind == .float ? -32_767 : -32_768
        #expect(
            try integers([.nan, .infinity, -.infinity, .signalingNaN, 3e38], kind)
                == [0, 32_767, lowest, 0, 32_767])
    }
}

// SPDX-License-Identifier: Apache-2.0
import AudioSignal
import Foundation
import Testing

@Suite struct `A picture of a waveform` {
    /// Silence, then a ramp to full scale, one pixel a step.
    private func ramp(_ steps: Int) throws -> Waveform {
        let sound = (0..<steps).flatMap { step in
            [Float(step) / Float(steps), -Float(step) / Float(steps)]
        }
        return try drawn(sound, .integer(bits: 16), .init(zoom: .samplesPerPixel(2)))
    }

    @Test func `in a terminal has the size that was asked for`() throws {
        let waveform = try ramp(300)
        for strokes in Waveform.Strokes.allCases {
            for (width, height) in [(1, 1), (80, 6), (500, 3)] {
                let lines = waveform.lines(width: width, height: height, strokes: strokes)
                #expect(lines.count == height)
                #expect(lines.allSatisfy { $0.unicodeScalars.count == width })
            }
        }
        #expect(waveform.lines(width: 0, height: 5).isEmpty)
        #expect(waveform.lines(width: 5, height: -1).isEmpty)
    }

    @Test func `in a terminal is drawn around the middle`() throws {
        let waveform = try ramp(8)
        #expect(
            waveform.lines(width: 8, height: 4, strokes: .ascii) == [
                "    ..||",
                "..||||||",
                " ''|||||",
                "     ''|",
            ])
        let blocks = waveform.lines(width: 8, height: 2, strokes: .blocks)
        #expect(blocks[0].hasSuffix("█") && blocks[1].hasSuffix("█"))
        #expect(blocks[0].hasPrefix("▄") || blocks[1].hasPrefix("▀"))
        let silence = try drawn([0, 0], .integer(bits: 16), .init(zoom: .samplesPerPixel(2)))
        #expect(silence.lines(width: 3, height: 1, strokes: .ascii) == ["'''"])
        let loud = try drawn([1, -1], .integer(bits: 16), .init(zoom: .samplesPerPixel(2)))
        #expect(loud.lines(width: 2, height: 2, strokes: .braille) == ["⣿⣿", "⣿⣿"])
        let empty = try drawn([])
        #expect(empty.lines(width: 2, height: 1, strokes: .braille) == ["⠀⠀"])
        #expect(empty.lines(width: 2, height: 1, strokes: .ascii) == ["  "])
    }

    @Test func `as SVG is well-formed, small, and has no script`() throws {
        for steps in [0, 1, 2, 999, 5_000] {
            let svg = try ramp(steps).svg(
                title: #"</title><script>alert("1")</script>&\#u{0}\#u{1B}"#)
            #expect(svg.contains("viewBox=\"0 0 \(max(1, min(1_000, steps))) 256\""))
            #expect(svg.contains("fill=\"currentColor\""))
            #expect(!svg.contains("<script"))
            #expect(svg.utf8.count < 10_000)
            #expect(!svg.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
            #expect(
                svg.components(separatedBy: "<").count == svg.components(separatedBy: ">").count)
        }
    }

    @Test func `as SVG returns to where it began`() throws {
        let svg = try ramp(100).svg(columns: 50)
        let path = try #require(
            svg.components(separatedBy: " d=\"").last?.components(separatedBy: "\"").first)
        var (x, y, numbers) = (0, 0, path[...])
        func number() -> Int {
            let sign = numbers.first == "-" ? 1 : 0
            let digits = numbers.dropFirst(sign).prefix { $0.isNumber }
            let text = numbers.prefix(sign + digits.count)
            numbers = numbers.dropFirst(text.count)
            if numbers.first == " " { numbers = numbers.dropFirst() }
            return Int(text) ?? 99_999
        }
        var widest = 0
        while let word = numbers.popFirst(), word != "z" {
            switch word {
            case "M": (x, y) = (number(), number())
            case "h": x += number()
            case "V": y = number()
            case "l": (x, y) = (x + number(), y + number())
            default: Issue.record("\(word)")
            }
            widest = max(widest, x)
            #expect(y >= -1 && y <= 257)
        }
        #expect(x == 0 && widest == 50)
    }
}

@Suite struct `Peaks for wavesurfer` {
    @Test func `are the signed samples of greatest magnitude`() throws {
        var builder = PeaksBuilder(
            format: AudioFormat(sampleRate: 8_000, channels: 2, samples: .float), bins: 2)
        let sound: [Float] = [0.1, 0, -0.25, 0.5, 0.2, -0.5, 0.12345, 2, .nan, -1.5, 0, 0.00004]
        let peaks = builder.consume(sound, channels: 2)
        #expect(
            String(decoding: peaks.json(), as: UTF8.self)
                == "{\"duration\":0.00075,\"peaks\":[[-0.25,0.1235],[0.5,1]]}\n")
        #expect(peaks.duration == 0.000_75)
    }

    @Test func `are 8,000 however long the sound`() throws {
        for frames in [8_000, 8_001, 100_000, 1 << 19, 1 << 19 + 1] {
            var builder = PeaksBuilder(format: AudioFormat(sampleRate: 44_100, channels: 1))
            var sound = [Float](repeating: 0, count: frames)
            sound[frames - 1] = -0.5
            let peaks = builder.consume(sound, channels: 1)
            #expect(peaks.peaks.map(\.count) == [8_000])
            #expect(peaks.peaks[0].last == -0.5)
            #expect(peaks.peaks[0].dropLast().allSatisfy { $0 == 0 })
        }
    }

    @Test func `of more than two channels are those of their mean`() {
        var builder = PeaksBuilder(
            format: AudioFormat(sampleRate: 8_000, channels: 4, samples: .float))
        let peaks = builder.consume([1, 0.5, 0, 0.5, -1, -1, -1, 0], channels: 4)
        #expect(peaks.peaks == [[0.5, -0.75]])
    }
}
